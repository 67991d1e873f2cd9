//! Bodies on their way: counted, timed, never kept.

use std::{
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Sleep, sleep};

use super::upstream::Lease;

/// Slowest body that is waited for, in octets a second on average.
const SLOWEST: u64 = 1000;
/// From this age on the average counts.
const YOUNG: Duration = Duration::from_secs(30);

/// What became of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Upload {
    /// On its way.
    Going = 0,
    /// All of it was handed on.
    Done = 1,
    /// It was larger than allowed.
    TooLarge = 2,
    /// It came too slowly.
    TooSlow = 3,
    /// The client broke it off.
    Broken = 4,
}

/// An upload as others see it.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<AtomicU8>);

impl Progress {
    /// What became of it.
    #[must_use]
    pub fn get(&self) -> Upload {
        match self.0.load(Ordering::Acquire) {
            0 => Upload::Going,
            1 => Upload::Done,
            2 => Upload::TooLarge,
            3 => Upload::TooSlow,
            _ => Upload::Broken,
        }
    }

    fn set(&self, upload: Upload) {
        self.0.store(upload as u8, Ordering::Release);
    }
}

/// The body broke off; what is told is for the log.
#[derive(Debug)]
pub struct Cut(&'static str);

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Cut {}

/// The body of a request, on its way to the back end.
#[derive(Debug)]
pub struct RequestBody(Option<Uploading>);

#[derive(Debug)]
struct Uploading {
    body: Incoming,
    progress: Progress,
    left: u64,
    taken: u64,
    since: Instant,
    idle: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl RequestBody {
    /// No body.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// A body of at most so many octets.
    #[must_use]
    pub fn new(body: Incoming, most: u64, idle: Duration) -> (Self, Option<Progress>) {
        if body.is_end_stream() {
            return (Self(None), None);
        }
        let progress = Progress::default();
        let uploading =
            Uploading { body, progress: progress.clone(), left: most, taken: 0, since: Instant::now(), idle, waiting: None };
        (Self(Some(uploading)), Some(progress))
    }
}

impl Uploading {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        loop {
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.waiting = None;
                    // Trailers of a request go nowhere: a field there would come behind every check.
                    let Ok(data) = frame.into_data() else { continue };
                    let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
                    let Some(left) = self.left.checked_sub(length) else {
                        self.progress.set(Upload::TooLarge);
                        return Poll::Ready(Some(Err(Cut("the body is too large"))));
                    };
                    (self.left, self.taken) = (left, self.taken.saturating_add(length));
                    if self.body.is_end_stream() {
                        self.progress.set(Upload::Done);
                    }
                    return Poll::Ready(Some(Ok(data)));
                }
                Poll::Ready(Some(Err(_))) => {
                    self.progress.set(Upload::Broken);
                    return Poll::Ready(Some(Err(Cut("the client broke off"))));
                }
                Poll::Ready(None) => {
                    self.progress.set(Upload::Done);
                    return Poll::Ready(None);
                }
                Poll::Pending => {
                    let age = self.since.elapsed();
                    let slow = age >= YOUNG && self.taken < age.as_secs().saturating_mul(SLOWEST);
                    let idle = self.idle.min(YOUNG);
                    let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(idle)));
                    if slow || waiting.as_mut().poll(cx).is_ready() {
                        self.progress.set(Upload::TooSlow);
                        return Poll::Ready(Some(Err(Cut("the body comes too slowly"))));
                    }
                    return Poll::Pending;
                }
            }
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match &mut self.get_mut().0 {
            None => Poll::Ready(None),
            Some(uploading) => uploading.poll(cx).map(|item| item.map(|data| data.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|uploading| uploading.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), |uploading| uploading.body.size_hint())
    }
}

/// The body of an answer.
#[derive(Debug)]
pub enum ResponseBody {
    /// The gateway's own.
    Own(Full<Bytes>),
    /// A back end's.
    BackEnd(Downloading),
}

/// The body of a back end's answer.
#[derive(Debug)]
pub struct Downloading {
    body: Incoming,
    lease: Option<Lease>,
    idle: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl ResponseBody {
    /// The gateway's own.
    #[must_use]
    pub fn own(text: impl Into<Bytes>) -> Self {
        Self::Own(Full::new(text.into()))
    }

    /// A back end's; its connection is free for others when it ends.
    #[must_use]
    pub fn back_end(body: Incoming, lease: Lease, idle: Duration) -> Self {
        let lease = if body.is_end_stream() {
            lease.give_back();
            None
        } else {
            Some(lease)
        };
        Self::BackEnd(Downloading { body, lease, idle, waiting: None })
    }
}

impl Downloading {
    fn give_back(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let this = match self.get_mut() {
            Self::Own(full) => return Pin::new(full).poll_frame(cx).map_err(|never| match never {}),
            Self::BackEnd(this) => this,
        };
        match Pin::new(&mut this.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) if frame.is_data() => {
                this.waiting = None;
                if this.body.is_end_stream() {
                    this.give_back();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            // Trailers end the body; nobody in front of the gateway needs them.
            Poll::Ready(Some(Ok(_)) | None) => {
                this.give_back();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(_))) => Poll::Ready(Some(Err(Cut("the back end broke off")))),
            Poll::Pending => {
                let idle = this.idle;
                let waiting = this.waiting.get_or_insert_with(|| Box::pin(sleep(idle)));
                match waiting.as_mut().poll(cx) {
                    Poll::Ready(()) => Poll::Ready(Some(Err(Cut("the back end fell silent")))),
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(full) => full.is_end_stream(),
            Self::BackEnd(this) => this.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(full) => full.size_hint(),
            Self::BackEnd(this) => this.body.size_hint(),
        }
    }
}
