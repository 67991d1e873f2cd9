//! Reading a file or a link.

use std::{fs::File, io::Read, path::Path};

use http::Uri;
use lanyard_pki::pkcs12::MAX_SIZE;

use crate::{error::AgentError, http::HttpClient};

/// What a download is called in errors.
const DOWNLOAD: &str = "the file";

/// Whether this names a link and not a file.
#[must_use]
pub fn is_link(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

/// Reads a file, `-` for standard input, or what a link leads to; 1 MiB at most. What comes by http:// is as trustworthy as any file whose origin
/// nobody knows: it is shown before it is installed.
///
/// # Errors
/// [`AgentError::Io`], [`AgentError::FileTooLarge`]; for links [`AgentError::Url`], [`AgentError::Unreachable`], [`AgentError::HttpStatus`],
/// [`AgentError::TlsRoots`].
pub async fn read(from: &str, tls_roots: Option<&[u8]>) -> Result<Vec<u8>, AgentError> {
    if is_link(from) {
        let fault = || AgentError::Url { url: lanyard_model::text::printable(from), problem: "it is not a URL" };
        let uri: Uri = from.parse().map_err(|_| fault())?;
        let answer = HttpClient::for_uri(&uri, tls_roots)?.get(DOWNLOAD, &uri).await?;
        return match answer.status {
            200 => Ok(answer.body.to_vec()),
            status => Err(AgentError::HttpStatus { operation: DOWNLOAD, status }),
        };
    }
    let path = Path::new(from);
    let mut octets = Vec::new();
    let limit = u64::try_from(MAX_SIZE).unwrap_or(u64::MAX) + 1;
    let source: Box<dyn Read> = if from == "-" {
        Box::new(std::io::stdin())
    } else {
        Box::new(File::open(path).map_err(AgentError::io("reading", path))?)
    };
    source.take(limit).read_to_end(&mut octets).map_err(AgentError::io("reading", path))?;
    if octets.len() > MAX_SIZE { Err(AgentError::FileTooLarge { limit: MAX_SIZE }) } else { Ok(octets) }
}
