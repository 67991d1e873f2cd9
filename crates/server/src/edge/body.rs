//! Reading a request body within a size and at a least rate.

use axum::body::Body;
use http_body_util::BodyExt;
use tokio::time::{Duration, Instant, timeout_at};

use crate::config::Limits;

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyError {
    /// Larger than allowed.
    TooLarge,
    /// Slower than allowed.
    TooSlow,
    /// The connection broke off.
    Broken,
}

/// Reads a body of at most `limit` octets. Within each window it must bring the least rate; a silent peer is cut off after one window.
///
/// # Errors
/// [`BodyError`].
pub async fn read_body(mut body: Body, limit: usize, limits: &Limits) -> Result<Vec<u8>, BodyError> {
    let window = Duration::from_secs(u64::try_from(limits.body_window.secs()).unwrap_or(30));
    let least = usize::try_from(limits.body_rate.saturating_mul(window.as_secs())).unwrap_or(usize::MAX);
    let mut bytes = Vec::new();
    let mut window_end = Instant::now() + window;
    let mut window_start = 0;
    loop {
        let frame = match timeout_at(window_end, body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(_))) => return Err(BodyError::Broken),
            Ok(None) => return Ok(bytes),
            Err(_) if bytes.len() - window_start >= least => {
                window_start = bytes.len();
                window_end += window;
                continue;
            }
            Err(_) => return Err(BodyError::TooSlow),
        };
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > limit {
            return Err(BodyError::TooLarge);
        }
        bytes.extend_from_slice(&data);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::stream;

    use super::*;

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit() {
        let limits = Limits::default();
        assert_eq!(read_body(Body::from(vec![1; 10]), 10, &limits).await, Ok(vec![1; 10]));
        assert_eq!(read_body(Body::from(vec![1; 11]), 10, &limits).await, Err(BodyError::TooLarge));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_body_is_cut_off_after_a_window() {
        let drops = stream::unfold(0u32, |n| async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b"x")), n + 1))
        });
        let began = Instant::now();
        assert_eq!(read_body(Body::from_stream(drops), 65_536, &Limits::default()).await, Err(BodyError::TooSlow));
        assert_eq!(began.elapsed().as_secs(), 28);
    }

    #[tokio::test(start_paused = true)]
    async fn a_steady_body_may_take_longer_than_one_window() {
        let steady = stream::unfold(0u32, |n| async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            (n < 40).then(|| (Ok::<_, std::io::Error>(Bytes::from(vec![0; 1100])), n + 1))
        });
        assert_eq!(read_body(Body::from_stream(steady), 65_536, &Limits::default()).await.map(|b| b.len()), Ok(44_000));
    }
}
