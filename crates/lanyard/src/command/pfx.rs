//! `lanyard cert issue --pfx`.

use std::{fs, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path, process::ExitCode};

use base64::{Engine, engine::general_purpose::STANDARD};
use lanyard_server::api::types::{Pfx, PfxMade};

use super::{certificate::refused, challenge::OrderArguments};
use crate::{admin::Target, print};

/// Orders key and certificate, writes the file and prints the passphrase.
pub async fn issue(target: &Target, order: OrderArguments, path: &Path, old: bool) -> ExitCode {
    // Before anything is issued: a file that cannot be written would lose the key.
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = match file {
        Ok(file) => file,
        Err(error) => {
            return print::fail(&format!("{} cannot be made: {error}", path.display()), Some("name a file that does not exist"));
        }
    };
    let made = target.post::<_, PfxMade>("/pfx", &Pfx { order: order.into_order(), old, mail: false }).await;
    let end = match made {
        Ok(PfxMade { file: Some(octets), passphrase: Some(passphrase), request, .. }) => {
            let written = STANDARD.decode(octets).map_err(|e| e.to_string());
            let written =
                written.and_then(|octets| file.write_all(&octets).and_then(|()| file.sync_all()).map_err(|e| e.to_string()));
            match written {
                Ok(()) => {
                    print::line(&passphrase);
                    let serial = request.certificate.unwrap_or_default();
                    print::remark(&format!(
                        "{} has the key of certificate {serial}; the passphrase above opens it",
                        path.display()
                    ));
                    return ExitCode::SUCCESS;
                }
                Err(error) => print::fail(&format!("{} cannot be written: {error}", path.display()), None),
            }
        }
        Ok(PfxMade { request, .. }) => refused(target, &request),
        Err(error) => error.report(),
    };
    let _ = fs::remove_file(path);
    end
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
