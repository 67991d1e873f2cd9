//! Calling the administrator's interface of the running server through its socket.

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request,
    body::Bytes,
    header::{CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use lanyard_server::{api::types::Problem, installation::Installation};
use serde::{Serialize, de::DeserializeOwned};
use tokio::net::UnixStream;

/// How long a server that is just starting is waited for.
const PATIENCE: Duration = Duration::from_secs(15);
/// Largest answer.
const MAX_ANSWER: usize = 256 * 1024 * 1024;

/// Where the running server is.
#[derive(clap::Args, Debug, Clone)]
pub struct Target {
    /// Data directory of the running server; its socket DIR/admin.sock is called.
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
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
    /// Prints it.
    pub fn report(&self) -> ExitCode {
        crate::print::fail(&self.cause, self.fix.as_deref())
    }
}

impl Target {
    /// The server of this data directory.
    pub fn dir(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
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

    async fn send<B: Serialize, T: DeserializeOwned>(&self, method: Method, path: &str, body: &B) -> Result<T, CallError> {
        let body =
            serde_json::to_vec(body).map_err(|e| CallError { cause: format!("the call cannot be written: {e}"), fix: None })?;
        self.call(method, path, Bytes::from(body)).await
    }

    async fn call<T: DeserializeOwned>(&self, method: Method, path: &str, body: Bytes) -> Result<T, CallError> {
        let socket = Installation::at(&self.dir).admin_socket();
        let stream = self.connect(&socket).await?;
        let broken = |e: &dyn std::fmt::Display| CallError { cause: format!("the server did not answer: {e}"), fix: None };
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| broken(&e))?;
        let driver = tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header(HOST, "localhost")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|e| broken(&e))?;
        let response = sender.send_request(request).await.map_err(|e| broken(&e))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await.map_err(|e| broken(&e))?.to_bytes();
        driver.abort();
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

    async fn connect(&self, socket: &Path) -> Result<UnixStream, CallError> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut told = false;
        loop {
            let error = match UnixStream::connect(socket).await {
                Ok(stream) => return Ok(stream),
                Err(error) => error,
            };
            let starting = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) && self.dir.is_dir();
            if !starting || tokio::time::Instant::now() >= deadline {
                return Err(self.unreachable(&error));
            }
            if !told {
                crate::print::remark("waiting for the server to start …");
                told = true;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn unreachable(&self, error: &io::Error) -> CallError {
        let dir = self.dir.display();
        let fix = match error.kind() {
            ErrorKind::PermissionDenied => "run the command as the user who owns the data directory".to_owned(),
            _ if !self.dir.is_dir() => format!("{dir} is no data directory; name the one that was given to 'lanyard init'"),
            _ => format!("start the server: lanyard serve --dir {dir} …"),
        };
        CallError { cause: format!("no server answers at {dir}/admin.sock: {error}"), fix: Some(fix) }
    }
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
