//! A back end that keeps connections open, counts them, can hold a request, and reads to the octet what it is sent.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::broadcast,
    task::JoinHandle,
};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Path and query.
    pub path: String,
    /// Everything that came, as text.
    pub text: String,
    /// Body, without what chunks are held together by.
    pub body: Vec<u8>,
}

impl Seen {
    /// A field's value.
    pub fn field(&self, name: &str) -> Option<&str> {
        let head = self.text.split("\r\n\r\n").next().unwrap_or_default();
        let mut fields = head.lines().skip(1).filter_map(|l| l.split_once(':'));
        fields.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim())
    }

    /// `Host`.
    pub fn host(&self) -> &str {
        self.field("host").unwrap_or_default()
    }
}

type Answer = Box<dyn FnMut(&Seen) -> Vec<u8> + Send>;

struct Shared {
    seen: Mutex<Vec<Seen>>,
    answer: Mutex<Answer>,
    connections: AtomicUsize,
    held: AtomicUsize,
    word: broadcast::Sender<Vec<u8>>,
}

/// The back end; it ends with this value.
pub struct BackEnd {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Drop for BackEnd {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl BackEnd {
    /// One that answers with these octets; with none it holds the request, with `cut` it closes the connection.
    pub async fn start(answer: impl FnMut(&Seen) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            seen: Mutex::default(),
            answer: Mutex::new(Box::new(answer)),
            connections: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            word: broadcast::channel(8).0,
        });
        let serving = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serving.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, Arc::clone(&serving)));
            }
        });
        Self { address, shared, task }
    }

    /// Answers differently from now on.
    pub fn now(&self, answer: impl FnMut(&Seen) -> Vec<u8> + Send + 'static) {
        *self.shared.answer.lock().unwrap() = Box::new(answer);
    }

    /// Answers everything that is held.
    pub async fn say(&self, octets: Vec<u8>) {
        self.shared.word.send(octets).unwrap();
    }

    /// Everything it was asked.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// What it was asked last.
    pub fn last(&self) -> Seen {
        self.seen().pop().expect("a request")
    }

    /// How often it was connected to.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many requests are held.
    pub fn open(&self) -> usize {
        self.shared.held.load(Ordering::SeqCst)
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let mut octets = Vec::new();
    while let Some(seen) = read(&mut stream, &mut octets).await {
        shared.seen.lock().unwrap().push(seen.clone());
        let mut answer = (shared.answer.lock().unwrap())(&seen);
        if answer == b"cut" {
            return;
        }
        if answer.is_empty() {
            let mut word = shared.word.subscribe();
            shared.held.fetch_add(1, Ordering::SeqCst);
            let mut one = [0; 1];
            let said = tokio::select! {
                said = word.recv() => said.ok(),
                _ = stream.read(&mut one) => None,
            };
            shared.held.fetch_sub(1, Ordering::SeqCst);
            match said {
                Some(said) => answer = said,
                None => return,
            }
        }
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut TcpStream, octets: &mut Vec<u8>) -> Option<Seen> {
    loop {
        if let Some(end) = octets.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&octets[..end]).into_owned();
            let lower = head.to_ascii_lowercase();
            let length =
                lower.lines().find_map(|l| l.strip_prefix("content-length:")).map(|v| v.trim().parse::<usize>().unwrap());
            let rest = &octets[end + 4..];
            let done = match (length, lower.contains("transfer-encoding: chunked")) {
                (_, true) => chunks(rest),
                (Some(length), _) => (rest.len() >= length).then(|| (rest[..length].to_vec(), length)),
                (None, _) => Some((Vec::new(), 0)),
            };
            if let Some((body, used)) = done {
                let text = String::from_utf8_lossy(&octets[..end + 4 + used]).into_owned();
                octets.drain(..end + 4 + used);
                return Some(Seen { path: head.split(' ').nth(1)?.to_owned(), text, body });
            }
        }
        if stream.read_buf(octets).await.ok()? == 0 {
            return None;
        }
    }
}

/// Body and length of a chunked body that is complete.
fn chunks(octets: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let end = at + octets.get(at..)?.windows(2).position(|w| w == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&octets[at..end]).ok()?, 16).expect("a plain size");
        at = end + 2;
        body.extend_from_slice(octets.get(at..at + size)?);
        at += size;
        assert_eq!(octets.get(at..at + 2)?, b"\r\n", "a chunk's end");
        at += 2;
        if size == 0 {
            return Some((body, at));
        }
    }
}
