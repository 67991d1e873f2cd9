//! HTTP/1 that could be read in two ways is refused before anybody reads it.
//!
//! Two lengths, a length of its own spelling, a line end of its own, a folded field: wherever a gateway and a back end could disagree on where a
//! request ends, somebody has hidden a second request (RFC 9112, section 11.2). What comes in is followed octet by octet on its way to the HTTP
//! library; at the first such place the library is given an octet that no head may have, answers 400 by itself, and reads no further. Inside
//! a chunked body the connection ends.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Largest head of a request, in octets: the longest address and its fields.
pub const MAX_HEAD: usize = 96 * 1024;
/// Most octets of the fields of a head, without the request line.
const MAX_FIELDS: usize = 32 * 1024;
/// Most fields of a head.
pub const MAX_COUNT: usize = 100;
/// Most octets of a chunk's size line or of a trailer line.
const MAX_LINE: usize = 1024;
/// Most octets of all trailers.
const MAX_TRAILERS: usize = 8 * 1024;
/// What no head may have.
const POISON: &[u8] = b"\x01\r\n\r\n";

/// A connection whose requests are followed.
#[derive(Debug)]
pub struct Framed<S> {
    stream: S,
    follower: Follower,
    /// What is left of the poison, once a request was refused.
    poison: Option<&'static [u8]>,
}

#[derive(Debug, Default)]
struct Follower {
    state: State,
    /// The head, or a line of a chunked body, as far as it came.
    line: Vec<u8>,
    trailers: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Head,
    Body(u64),
    ChunkSize,
    Chunk(u64),
    /// After a chunk's octets: so many octets of its line end have come.
    ChunkEnd(u8),
    Trailers,
}

/// Where it went wrong.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    /// In a head: all before this octet may be read.
    Head(usize),
    /// In a body.
    Body,
}

impl<S> Framed<S> {
    /// Follows a connection.
    pub fn new(stream: S) -> Self {
        Self { stream, follower: Follower::default(), poison: None }
    }
}

impl Follower {
    fn follow(&mut self, octets: &[u8]) -> Result<(), Fault> {
        let mut at = 0;
        while let Some(rest) = octets.get(at..).filter(|rest| !rest.is_empty()) {
            match self.state {
                State::Head => {
                    let end = rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |n| n + 1);
                    let piece = rest.get(..end).unwrap_or_default();
                    self.line.extend_from_slice(piece);
                    at += end;
                    if self.line.len() > MAX_HEAD {
                        return Err(Fault::Head(at - 1));
                    }
                    if piece.last() == Some(&b'\n') {
                        self.line_of_head().map_err(|()| Fault::Head(at - 1))?;
                    }
                }
                State::Body(left) | State::Chunk(left) => {
                    let length = u64::try_from(rest.len()).unwrap_or(u64::MAX);
                    let taken = left.min(length);
                    at += usize::try_from(taken).unwrap_or(rest.len());
                    self.state = match (self.state, left - taken) {
                        (State::Body(_), 0) => State::Head,
                        (State::Body(_), more) => State::Body(more),
                        (_, 0) => State::ChunkEnd(0),
                        (_, more) => State::Chunk(more),
                    };
                }
                State::ChunkEnd(seen) => {
                    self.state = match (seen, rest.first()) {
                        (0, Some(b'\r')) => State::ChunkEnd(1),
                        (1, Some(b'\n')) => State::ChunkSize,
                        _ => return Err(Fault::Body),
                    };
                    at += 1;
                }
                State::ChunkSize | State::Trailers => {
                    let end = rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |n| n + 1);
                    let piece = rest.get(..end).unwrap_or_default();
                    self.line.extend_from_slice(piece);
                    at += end;
                    if self.line.len() > MAX_LINE {
                        return Err(Fault::Body);
                    }
                    if piece.last() == Some(&b'\n') {
                        self.line_of_body()?;
                    }
                }
            }
        }
        Ok(())
    }

    /// A line of a head is complete.
    fn line_of_head(&mut self) -> Result<(), ()> {
        if !self.line.ends_with(b"\r\n") {
            return Err(());
        }
        // One empty line before a request is tolerated (RFC 9112, section 2.2).
        if self.line == b"\r\n" {
            self.line.clear();
            return Ok(());
        }
        if !self.line.ends_with(b"\r\n\r\n") {
            return Ok(());
        }
        let state = frame(&self.line)?;
        self.line.clear();
        self.line.shrink_to(1024);
        self.state = state;
        Ok(())
    }

    /// A line of a chunked body is complete.
    fn line_of_body(&mut self) -> Result<(), Fault> {
        let line = self.line.strip_suffix(b"\r\n").ok_or(Fault::Body)?;
        if line.iter().any(|b| (*b < b' ' && *b != b'\t') || *b == 0x7f) {
            return Err(Fault::Body);
        }
        if self.state == State::Trailers {
            self.trailers += line.len();
            if self.trailers > MAX_TRAILERS {
                return Err(Fault::Body);
            }
            if line.is_empty() {
                (self.state, self.trailers) = (State::Head, 0);
            } else {
                field(line).ok_or(Fault::Body)?;
            }
        } else {
            let digits = line.split(|b| *b == b';').next().unwrap_or_default();
            let plain = (1..=15).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit);
            let text = std::str::from_utf8(digits).ok().filter(|_| plain).ok_or(Fault::Body)?;
            let size = u64::from_str_radix(text, 16).map_err(|_| Fault::Body)?;
            self.state = if size == 0 { State::Trailers } else { State::Chunk(size) };
        }
        self.line.clear();
        Ok(())
    }
}

/// Name and value of a field; `None` when it is none, or no plain one.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|b| *b == b':')?;
    let (name, value) = line.split_at_checked(colon)?;
    let value = value.get(1..)?;
    let token = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
    let plain = |b: &u8| (*b >= b' ' && *b != 0x7f) || *b == b'\t';
    (!name.is_empty() && name.iter().all(token) && value.iter().all(plain)).then_some((name, value.trim_ascii()))
}

/// What follows a head; an error when that could be read in two ways.
fn frame(head: &[u8]) -> Result<State, ()> {
    let head = head.strip_suffix(b"\r\n\r\n").ok_or(())?;
    let first_end = head.windows(2).position(|w| w == b"\r\n").unwrap_or(head.len());
    let (first, mut rest) = head.split_at_checked(first_end).ok_or(())?;
    let mut words = first.split(|b| *b == b' ');
    let (method, target, version) = (words.next().ok_or(())?, words.next().ok_or(())?, words.next().ok_or(())?);
    let old = version == b"HTTP/1.0";
    if words.next().is_some() || target.is_empty() || !(old || version == b"HTTP/1.1") || method == b"CONNECT" {
        return Err(());
    }
    if target.iter().any(|b| *b <= b' ' || *b >= 0x7f) || rest.len() > MAX_FIELDS {
        return Err(());
    }
    let (mut count, mut hosts, mut chunked, mut length) = (0, 0, false, None);
    while let Some(after) = rest.strip_prefix(b"\r\n") {
        let end = after.windows(2).position(|w| w == b"\r\n").unwrap_or(after.len());
        let (line, next) = after.split_at_checked(end).ok_or(())?;
        rest = next;
        count += 1;
        let (name, value) = field(line).ok_or(())?;
        if count > MAX_COUNT {
            return Err(());
        }
        if name.eq_ignore_ascii_case(b"host") {
            hosts += 1;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let plain = (1..=18).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
            let number = std::str::from_utf8(value).ok().filter(|_| plain).and_then(|t| t.parse::<u64>().ok()).ok_or(())?;
            if length.replace(number).is_some() {
                return Err(());
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if chunked || old || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(());
            }
            chunked = true;
        }
    }
    // Anything left is not separated as lines are.
    if !rest.is_empty() || hosts > 1 || (hosts == 0 && !old) || (chunked && length.is_some()) {
        return Err(());
    }
    Ok(match (chunked, length) {
        (true, _) => State::ChunkSize,
        (false, None | Some(0)) => State::Head,
        (false, Some(length)) => State::Body(length),
    })
}

impl<S: AsyncRead + Unpin> AsyncRead for Framed<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(left) = this.poison {
            let (now, later) = left.split_at(left.len().min(buf.remaining()));
            buf.put_slice(now);
            // Then it looks as if the client had gone, whatever else it sent.
            this.poison = Some(later);
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => {}
            other => return other,
        }
        match this.follower.follow(buf.filled().get(before..).unwrap_or_default()) {
            Ok(()) => Poll::Ready(Ok(())),
            Err(Fault::Body) => Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
            Err(Fault::Head(good)) => {
                buf.set_filled(before + good);
                this.poison = Some(POISON);
                if good == 0 {
                    let (now, later) = POISON.split_at(POISON.len().min(buf.remaining()));
                    buf.put_slice(now);
                    this.poison = Some(later);
                }
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Framed<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(text: &str, piece: usize) -> Result<State, Fault> {
        let mut follower = Follower::default();
        for part in text.as_bytes().chunks(piece) {
            follower.follow(part)?;
        }
        Ok(follower.state)
    }

    #[test]
    fn rfc9112_requests_with_one_meaning_pass_however_they_are_cut() {
        let good = [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "\r\nPOST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST /x HTTP/1.1\r\nHost:a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: u\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
            "GET / HTTP/1.0\r\n\r\n",
        ];
        for text in good {
            for piece in [1, 2, 3, 7, 1000] {
                assert_eq!(follow(text, piece), Ok(State::Head), "{text:?} by {piece}");
            }
        }
    }

    #[test]
    fn rfc9112_11_2_whatever_has_two_meanings_is_refused() {
        let head = |fields: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let odd = [
            "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
            "Content-Length: 3\r\nContent-Length: 3\r\n",
            "Content-Length: 3, 3\r\n",
            "Content-Length: +3\r\n",
            "Content-Length: 0x3\r\n",
            "Content-Length: -1\r\n",
            "Content-Length:\r\n",
            "Content-Length: 3 4\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: identity\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: xchunked\r\n",
            "Transfer-Encoding : chunked\r\n",
            " Transfer-Encoding: chunked\r\n",
            "X: a\r\n Transfer-Encoding: chunked\r\n",
            "X: a\nTransfer-Encoding: chunked\r\n",
            "X: a\rTransfer-Encoding: chunked\r\n",
            "X: a\0b\r\n",
            "X\0: a\r\n",
            "Host: b\r\n",
            ": a\r\n",
            "no colon\r\n",
        ];
        for fields in odd {
            for piece in [1, 5, 1000] {
                assert!(matches!(follow(&head(fields), piece), Err(Fault::Head(_))), "{fields:?} by {piece}");
            }
        }
        let lines = [
            "GET  / HTTP/1.1",
            "GET / HTTP/1.1 ",
            "GET /",
            "GET / HTTP/1.2",
            "GET / HTTP/2.0",
            "GET /\t HTTP/1.1",
            "CONNECT a:1 HTTP/1.1",
            "GET /ä HTTP/1.1",
        ];
        for line in lines {
            assert!(follow(&format!("{line}\r\nHost: a\r\n\r\n"), 1000).is_err(), "{line}");
        }
        assert!(follow("GET / HTTP/1.1\r\nX: a\r\n\r\n", 1000).is_err(), "no host");
        assert!(follow("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 1000).is_err());
    }

    #[test]
    fn rfc9112_7_1_chunks_are_read_to_the_letter() {
        let bodies = [
            "3\r\nabcd\r\n",
            "3\nabc\r\n",
            "0x3\r\n",
            "-1\r\n",
            "\r\n",
            " 3\r\n",
            "3\r\nabc\n",
            "ffffffffffffffffff\r\n",
            "3;a\0\r\n",
            "0\r\nT\r\n\r\n",
            "0\r\n T: u\r\n\r\n",
        ];
        for body in bodies {
            let text = format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
            assert_eq!(follow(&text, 1000), Err(Fault::Body), "{body:?}");
        }
    }
}
