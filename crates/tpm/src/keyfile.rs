//! A key as it is kept outside the TPM: the "TSS2 PRIVATE KEY" that OpenSSL's providers read too. Its private half is encrypted by the TPM
//! under the parent; nobody else can open it.

use lanyard_model::oid::Oid;
use lanyard_pki::{
    tlv::{Reader, tag},
    write,
};
use tss_esapi::{
    structures::{Private, Public},
    traits::{Marshall, UnMarshall},
};

use crate::error::TpmError;

/// id-loadablekey: 2.23.133.10.1.3.
const LOADABLE_KEY: &str = "2.23.133.10.1.3";
/// `TPM_RH_OWNER`: the parent is the primary key of the owner hierarchy, made anew from its template.
const OWNER: u32 = 0x4000_0001;

/// A key with both halves.
pub struct KeyFile {
    /// Its public half.
    pub public: Public,
    /// Its private half, encrypted by the TPM.
    pub private: Private,
    /// Whether a PIN guards it.
    pub pin: bool,
}

impl KeyFile {
    /// DER.
    pub fn encode(&self) -> Result<Vec<u8>, TpmError> {
        let empty_auth = if self.pin { Vec::new() } else { write::explicit(0, &write::boolean_true()) };
        Ok(write::sequence(&[
            write::oid(loadable_key()?),
            empty_auth,
            write::integer(OWNER.into()),
            write::octet_string(&sized(&self.public.marshall()?)?),
            write::octet_string(&sized(self.private.value())?),
        ]))
    }

    /// From DER, exactly as [`KeyFile::encode`] writes it.
    pub fn decode(der: &[u8]) -> Result<Self, TpmError> {
        let mut reader = Reader::sequence_of(der, "TPM key")?;
        let unknown = || TpmError::Request("the key is not a TPM key file of this program");
        if reader.oid()? != loadable_key()? {
            return Err(unknown());
        }
        let pin = reader.optional(tag::context(0))?.is_none();
        if reader.unsigned()? != OWNER.to_be_bytes() {
            return Err(unknown());
        }
        let public = reader.expect(tag::OCTET_STRING)?.contents;
        let private = reader.expect(tag::OCTET_STRING)?.contents;
        reader.finish()?;
        let public = Public::unmarshall(unsized_(public).ok_or_else(unknown)?).map_err(|_| unknown())?;
        let private = Private::try_from(unsized_(private).ok_or_else(unknown)?.to_vec()).map_err(|_| unknown())?;
        Ok(Self { public, private, pin })
    }
}

fn loadable_key() -> Result<Oid, TpmError> {
    LOADABLE_KEY.parse().map_err(|_| TpmError::Request("an identifier is wrong"))
}

/// TPM2B: the length in two octets, then the contents.
fn sized(contents: &[u8]) -> Result<Vec<u8>, TpmError> {
    let length = u16::try_from(contents.len()).map_err(|_| TpmError::Request("the key is too long"))?;
    Ok([&length.to_be_bytes()[..], contents].concat())
}

fn unsized_(octets: &[u8]) -> Option<&[u8]> {
    let (length, contents) = octets.split_first_chunk::<2>()?;
    (usize::from(u16::from_be_bytes(*length)) == contents.len()).then_some(contents)
}
