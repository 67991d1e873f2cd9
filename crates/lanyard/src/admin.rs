//! Calling the administrator's interface of the running server: through its socket, or over TLS with a token.

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, StatusCode,
    body::Bytes,
    header::{CONTENT_TYPE, HOST},
    http::request::Builder,
};
use hyper_util::rt::TokioIo;
use lanyard_server::{api::types::Problem, installation::Installation};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::UnixStream,
};

use crate::remote::Remote;

/// How long a server that is just starting is waited for.
const PATIENCE: Duration = Duration::from_secs(15);
/// Largest answer.
const MAX_ANSWER: usize = 256 * 1024 * 1024;

/// Where the running server is: a data directory here, or an address and a token.
#[derive(clap::Args, Debug, Clone)]
pub struct Target {
    /// Data directory of the running server; its socket DIR/admin.sock is called.
    #[arg(long, value_name = "DIR", required_unless_present = "server", conflicts_with = "server")]
    dir: Option<PathBuf>,
    /// Address of the running server, such as https://pki.example.org; called with the token of --token-file.
    #[arg(long, value_name = "URL", requires = "token_file")]
    server: Option<String>,
    /// File with an API token (mode 0600), see `lanyard token create`.
    #[arg(long, value_name = "FILE", requires = "server")]
    token_file: Option<PathBuf>,
    /// Certificates (PEM) under which the server's own must stand; default: those of the operating system.
    #[arg(long, value_name = "FILE", requires = "server")]
    ca_file: Option<PathBuf>,
}

/// Why a call failed; shown in one line.
#[derive(Debug)]
pub struct CallError {
    cause: String,
    fix: Option<String>,
}

impl std::fmt::Display for CallError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.cause)
    }
}

impl CallError {
    /// A cause and, where there is one, what to do about it.
    pub const fn new(cause: String, fix: Option<String>) -> Self {
        Self { cause, fix }
    }

    /// Prints it.
    pub fn report(&self) -> ExitCode {
        crate::print::fail(&self.cause, self.fix.as_deref())
    }
}

impl Target {
    /// The server of this data directory.
    pub fn dir(dir: &Path) -> Self {
        Self { dir: Some(dir.to_owned()), server: None, token_file: None, ca_file: None }
    }

    /// The arguments that name this server, for hints.
    pub fn arguments(&self) -> String {
        match (&self.dir, &self.server, &self.token_file) {
            (Some(dir), _, _) => format!("--dir {}", dir.display()),
            (None, Some(server), Some(token)) => format!("--server {server} --token-file {}", token.display()),
            _ => "--dir DIR".to_owned(),
        }
    }

    /// Reads from the server.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CallError> {
        self.call(Method::GET, path, Bytes::new()).await
    }

    /// Asks the server to do something.
    pub async fn post<B: Serialize, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T, CallError> {
        self.send(Method::POST, path, body).await
    }

    /// Saves something.
    pub async fn put<B: Serialize, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T, CallError> {
        self.send(Method::PUT, path, body).await
    }

    /// Removes something.
    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, CallError> {
        self.call(Method::DELETE, path, Bytes::new()).await
    }

    async fn send<B: Serialize, T: DeserializeOwned>(&self, method: Method, path: &str, body: &B) -> Result<T, CallError> {
        let body =
            serde_json::to_vec(body).map_err(|e| CallError { cause: format!("the call cannot be written: {e}"), fix: None })?;
        self.call(method, path, Bytes::from(body)).await
    }

    async fn call<T: DeserializeOwned>(&self, method: Method, path: &str, body: Bytes) -> Result<T, CallError> {
        let request = Request::builder().method(method).uri(format!("/api/v1{path}")).header(CONTENT_TYPE, "application/json");
        let (status, body) = match (&self.dir, &self.server, &self.token_file) {
            (None, Some(server), Some(token)) => {
                let remote = Remote::new(server, token, self.ca_file.as_deref())?;
                let stream = remote.connect().await?;
                exchange(stream, remote.sign(request), body).await?
            }
            (dir, ..) => {
                let stream = local(dir.as_deref().unwrap_or(Path::new("."))).await?;
                exchange(stream, request.header(HOST, "localhost"), body).await?
            }
        };
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|e| CallError {
                cause: format!("the server's answer cannot be read: {e}"),
                fix: Some(SAME_VERSION.into()),
            });
        }
        Err(match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => {
                let fix = lanyard_server::api::story::explain(&problem.code).map(|(_, fix)| fix.to_owned());
                let fix = fix.filter(|fix| !problem.detail.contains(fix.as_str()));
                CallError { cause: format!("{} [{}]", problem.detail, problem.code), fix }
            }
            Err(_) => {
                let text = lanyard_server::printable(&String::from_utf8_lossy(&body));
                CallError { cause: format!("the server answered {status}: {text}"), fix: None }
            }
        })
    }
}

async fn exchange<S>(stream: S, request: Builder, body: Bytes) -> Result<(StatusCode, Bytes), CallError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broken = |e: &dyn std::fmt::Display| CallError::new(format!("the server did not answer: {e}"), None);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| broken(&e))?;
    let driver = tokio::spawn(connection);
    let request = request.body(Full::new(body)).map_err(|e| broken(&e))?;
    let response = sender.send_request(request).await.map_err(|e| broken(&e))?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await.map_err(|e| broken(&e))?.to_bytes();
    driver.abort();
    Ok((status, body))
}

/// Connects to the socket of a data directory.
async fn local(dir: &Path) -> Result<UnixStream, CallError> {
    let socket = Installation::at(dir).admin_socket();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut told = false;
    loop {
        let error = match UnixStream::connect(&socket).await {
            Ok(stream) => return Ok(stream),
            Err(error) => error,
        };
        let starting = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) && dir.is_dir();
        if !starting || tokio::time::Instant::now() >= deadline {
            return Err(unreachable(dir, &error));
        }
        if !told {
            crate::print::remark("waiting for the server to start …");
            told = true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn unreachable(dir: &Path, error: &io::Error) -> CallError {
    let shown = dir.display();
    let fix = match error.kind() {
        ErrorKind::PermissionDenied => "run the command as the user who owns the data directory".to_owned(),
        _ if !dir.is_dir() => format!("{shown} is no data directory; name the one that was given to 'lanyard init'"),
        _ => format!("start the server: lanyard serve --dir {shown} …"),
    };
    CallError::new(format!("no server answers at {shown}/admin.sock: {error}"), Some(fix))
}

const SAME_VERSION: &str = "use the same version of lanyard for server and command";

/// Percent-encodes a value for a query or path.
pub fn encode(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
