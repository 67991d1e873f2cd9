//! The mailbox of the demo: as much of SMTP (RFC 5321) as it takes to receive a mail on loopback. The tests use a real mail server.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufStream},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::{sleep, timeout},
};

/// How long a mail is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// A mailbox; it closes with this value.
pub struct PostOffice {
    /// Where it listens.
    pub address: SocketAddr,
    mails: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for PostOffice {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl PostOffice {
    /// Opens it.
    pub async fn open() -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let mails = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&mails);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // One after the other is enough here.
                if let Ok(received) = receive(stream).await {
                    kept.lock().unwrap_or_else(PoisonError::into_inner).extend(received);
                }
            }
        });
        Ok(Self { address, mails, task })
    }

    /// The newest mail to somebody.
    pub async fn newest_to(&self, address: &str) -> Result<String, String> {
        let wanted = format!("To: {address}");
        let look = async {
            loop {
                let mails = self.mails.lock().unwrap_or_else(PoisonError::into_inner).clone();
                if let Some(mail) = mails.into_iter().rev().find(|mail| mail.contains(&wanted)) {
                    return mail;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, look).await.map_err(|_| format!("no mail to {address} arrived"))
    }
}

async fn receive(stream: TcpStream) -> std::io::Result<Vec<String>> {
    let mut stream = BufStream::new(stream);
    let mut mails = Vec::new();
    say(&mut stream, "220 demo").await?;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(mails);
        }
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        match verb.as_str() {
            "DATA" => {
                say(&mut stream, "354 go on").await?;
                mails.push(body(&mut stream).await?);
                say(&mut stream, "250 kept").await?;
            }
            "QUIT" => {
                say(&mut stream, "221 bye").await?;
                return Ok(mails);
            }
            _ => say(&mut stream, "250 demo").await?,
        }
    }
}

async fn say(stream: &mut BufStream<TcpStream>, text: &str) -> std::io::Result<()> {
    stream.write_all(format!("{text}\r\n").as_bytes()).await?;
    stream.flush().await
}

async fn body(stream: &mut BufStream<TcpStream>) -> std::io::Result<String> {
    let mut text = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 || line.trim_end() == "." {
            return Ok(text);
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}
