//! The mailbox behind the gateway of the demo: as much of ActiveSync as it takes to list a folder and hold a Ping. The tests use a real SOGo.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use lanyard_gateway::activesync::{
    query,
    wbxml::{Element, Tag, encode},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::sleep,
};

/// How long a Ping is held.
const HELD: Duration = Duration::from_secs(60);
/// Largest body that is read, in octets.
const MAX_BODY: usize = 65_536;

/// The mailbox; it closes with this value.
pub struct Mailbox {
    /// Where it listens.
    pub address: SocketAddr,
    pings: Arc<AtomicU32>,
    task: JoinHandle<()>,
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Mailbox {
    /// Opens it.
    pub async fn open() -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let pings = Arc::new(AtomicU32::new(0));
        let held = Arc::clone(&pings);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let held = Arc::clone(&held);
                // A client that goes away takes its request along.
                tokio::spawn(async move { serve(stream, &held).await.unwrap_or(()) });
            }
        });
        Ok(Self { address, pings, task })
    }

    /// How many Pings came so far.
    pub fn pings(&self) -> u32 {
        self.pings.load(Ordering::Relaxed)
    }
}

async fn serve(stream: TcpStream, pings: &AtomicU32) -> std::io::Result<()> {
    let mut stream = BufStream::new(stream);
    let (mut first, mut line, mut length) = (String::new(), String::new(), 0);
    stream.read_line(&mut first).await?;
    loop {
        line.clear();
        if stream.read_line(&mut line).await? <= 2 {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; MAX_BODY.min(length)];
    stream.read_exact(&mut body).await?;
    let mut words = first.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let command = query::read(target.split_once('?').map(|(_, query)| query)).ok().and_then(|query| query.command);
    let (status, fields, body) = match (method, command.as_deref()) {
        ("OPTIONS", _) => {
            ("200 OK", "MS-ASProtocolVersions: 14.0,14.1\r\nMS-ASProtocolCommands: FolderSync,Ping\r\n", Vec::new())
        }
        ("POST", Some("FolderSync")) => ("200 OK", "Content-Type: application/vnd.ms-sync.wbxml\r\n", encode(&folders())),
        ("POST", Some("Ping")) => {
            pings.fetch_add(1, Ordering::Relaxed);
            sleep(HELD).await;
            let nothing_new = Element::with(Tag(13, 0x05), vec![Element::text(Tag(13, 0x07), "1")]);
            ("200 OK", "Content-Type: application/vnd.ms-sync.wbxml\r\n", encode(&nothing_new))
        }
        _ => ("501 Not Implemented", "", Vec::new()),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{fields}\r\n", body.len());
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await?;
    stream.flush().await
}

fn folders() -> Element {
    let text = |token, value| Element::text(Tag(7, token), value);
    let inbox = vec![text(0x08, "1"), text(0x09, "0"), text(0x07, "Inbox"), text(0x0a, "2")];
    let changes = vec![text(0x17, "1"), Element::with(Tag(7, 0x0f), inbox)];
    Element::with(Tag(7, 0x16), vec![text(0x0c, "1"), text(0x12, "1"), Element::with(Tag(7, 0x0e), changes)])
}
