//! Reading requests and answering them, one after another.

use std::io::{self, BufRead, Read, Write};

use zeroize::{Zeroize, Zeroizing};

use crate::{
    device::Tpm,
    error::TpmError,
    keys,
    lockout::Lockout,
    protocol::{Answer, Done, MAX_LINE, Request},
};

/// Answers until the input ends. The TPM is opened when it is first needed, and everything in it is given back at the end.
///
/// # Errors
/// When input or output breaks, or a line is too long.
pub fn serve(input: &mut impl BufRead, output: &mut impl Write) -> io::Result<()> {
    let mut tpm = None;
    loop {
        // As large as a line may be from the start: growing would leave copies of a PIN behind.
        let mut line = Zeroizing::new(Vec::with_capacity(usize::try_from(MAX_LINE).unwrap_or_default() + 1));
        if input.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let too_long = u64::try_from(line.len()).is_ok_and(|length| length > MAX_LINE);
        let answer = if too_long {
            Err(TpmError::Request("it is too long"))
        } else {
            serde_json::from_slice(&line).map_err(|_| TpmError::Request("it is not one")).and_then(|asked| one(&mut tpm, asked))
        };
        let mut text = serde_json::to_vec(&answer.map_or_else(Answer::from, Answer::Ok)).map_err(io::Error::other)?;
        text.push(b'\n');
        let written = output.write_all(&text).and_then(|()| output.flush());
        text.zeroize();
        written?;
        if too_long {
            return Err(io::Error::other("a line that is too long"));
        }
    }
}

fn one(open: &mut Option<Tpm>, request: Request) -> Result<Done, TpmError> {
    let tpm = match open {
        Some(tpm) => tpm,
        None => open.insert(Tpm::open()?),
    };
    match request {
        Request::Create { kind, pin } => keys::create(tpm, kind, pin.as_ref()),
        Request::Public { key } => keys::public(tpm, &key.0),
        Request::Sign { key, pin, digest, hash } => keys::sign(tpm, &key.0, pin.as_ref(), &digest.0, hash),
        Request::Decrypt { key, pin, data } => keys::decrypt(tpm, &key.0, pin.as_ref(), &data.0),
        Request::Lockout {} => Lockout::read(&mut tpm.context).map(Done::Lockout),
    }
}
