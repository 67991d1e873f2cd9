//! `lanyard cert issue --pfx` and `--mail`.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use lanyard_server::api::delivery_types::{Pfx, PfxMade};

use super::{certificate::refused, challenge::OrderArguments};
use crate::{admin::Target, print};

/// A file for keys that did not exist before.
pub struct NewFile {
    file: File,
    path: PathBuf,
}

/// Makes it, before anything is issued: a file that cannot be written would lose the key.
pub fn new_file(path: &Path) -> Result<NewFile, ExitCode> {
    let made = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.map(|file| NewFile { file, path: path.to_owned() }).map_err(|error| {
        print::fail(&format!("{} cannot be made: {error}", path.display()), Some("name a file that does not exist"))
    })
}

impl NewFile {
    /// Writes base64 into it and prints the passphrase.
    pub fn keep(mut self, octets: &str, passphrase: &str, what: &str) -> ExitCode {
        let written = STANDARD.decode(octets).map_err(|e| e.to_string());
        let written = written.and_then(|octets| {
            let written = self.file.write_all(&octets).and_then(|()| self.file.sync_all());
            written.map_err(|e| e.to_string())
        });
        let shown = self.path.display();
        match written {
            Ok(()) => {
                print::line(passphrase);
                print::remark(&format!("{shown} {what}; the passphrase above opens it"));
                ExitCode::SUCCESS
            }
            Err(error) => print::fail(&format!("{shown} cannot be written: {error}"), None),
        }
    }

    /// Nothing came of it.
    pub fn remove(self) {
        let _ = fs::remove_file(self.path);
    }
}

/// Orders key and certificate, writes the file and prints the passphrase.
pub async fn issue(target: &Target, order: OrderArguments, path: &Path, old: bool) -> ExitCode {
    let file = match new_file(path) {
        Ok(file) => file,
        Err(code) => return code,
    };
    match target.post::<_, PfxMade>("/pfx", &Pfx { order: order.into_order(), old, mail: false }).await {
        Ok(PfxMade { file: Some(octets), passphrase: Some(passphrase), request, history, .. }) => {
            let serial = request.certificate.unwrap_or_default();
            let earlier = if history > 0 { format!(" and {history} earlier one(s)") } else { String::new() };
            file.keep(&octets, &passphrase, &format!("has the key of certificate {serial}{earlier}"))
        }
        Ok(PfxMade { request, .. }) => {
            file.remove();
            refused(target, &request)
        }
        Err(error) => {
            file.remove();
            error.report()
        }
    }
}

/// Orders key and certificate, has the file sent to the user and prints the passphrase.
pub async fn send(target: &Target, order: OrderArguments, old: bool) -> ExitCode {
    match target.post::<_, PfxMade>("/pfx", &Pfx { order: order.into_order(), old, mail: true }).await {
        Ok(PfxMade { sent: Some(sent), passphrase, .. }) => {
            match passphrase {
                Some(passphrase) => {
                    print::line(&passphrase);
                    print::remark(&format!("the file went to {}; tell its passphrase another way", sent.to));
                }
                None => print::line(&format!("the mail server does not take the file; a link went to {}", sent.to)),
            }
            ExitCode::SUCCESS
        }
        Ok(PfxMade { request, .. }) => refused(target, &request),
        Err(error) => error.report(),
    }
}
