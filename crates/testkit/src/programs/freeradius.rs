//! FreeRADIUS on loopback, which lets in whoever shows a certificate of one authority; and wpa_supplicant's eapol_test, which tries.

use std::{
    fs,
    net::{Ipv4Addr, UdpSocket},
    path::{Path, PathBuf},
    process::Stdio,
};

use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::{Done, program, run};
use crate::{temporary, wait::until};

const SECRET: &str = "testing123";

/// A running server; it ends with this value.
pub struct FreeRadius {
    port: u16,
    folder: TempDir,
    _child: Child,
}

impl FreeRadius {
    /// A server with this certificate and key (PEM files), which believes clients under these roots (PEM).
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(certificate: &Path, key: &Path, roots: &Path) -> Self {
        let folder = temporary::folder("radius");
        let port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let at = folder.path().display().to_string();
        let text = configuration(&at, port, certificate, key, roots);
        fs::write(folder.path().join("radiusd.conf"), text).unwrap();
        fs::write(folder.path().join("dictionary"), "$INCLUDE /usr/share/freeradius/dictionary\n").unwrap();
        let log = folder.path().join("log");
        let file = fs::File::create(&log).unwrap();
        let mut command = Command::new(program("freeradius", "freeradius"));
        command.args(["-X", "-d", &at]).stdin(Stdio::null()).stderr(file.try_clone().unwrap()).stdout(file).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        until("the RADIUS server to listen", || {
            let ended = child.try_wait().unwrap();
            let text = fs::read_to_string(&log).unwrap_or_default();
            assert!(ended.is_none(), "the RADIUS server ended: {text}");
            let ready = text.contains("Ready to process requests").then_some(());
            async move { ready }
        })
        .await;
        Self { port, folder, _child: child }
    }

    /// Tries to get in with this certificate (with its chain) and key, believing the server under these roots.
    pub async fn try_with(&self, certificate: &Path, key: &Path, roots: &Path) -> Done {
        let network = format!(
            "network={{\n  key_mgmt=WPA-EAP\n  eap=TLS\n  identity=\"device\"\n  ca_cert=\"{}\"\n  client_cert=\"{}\"\n  \
             private_key=\"{}\"\n}}\n",
            roots.display(),
            certificate.display(),
            key.display()
        );
        let file: PathBuf = self.folder.path().join("network.conf");
        fs::write(&file, network).unwrap();
        self.try_network(&file).await
    }

    /// Tries to get in as a file for `wpa_supplicant` says.
    pub async fn try_network(&self, file: &Path) -> Done {
        let mut command = Command::new(program("eapol_test", "eapoltest"));
        command.arg("-c").arg(file).args(["-a", "127.0.0.1", "-p", &self.port.to_string(), "-s", SECRET, "-t", "10"]);
        run(&mut command).await
    }
}

fn configuration(at: &str, port: u16, certificate: &Path, key: &Path, roots: &Path) -> String {
    format!(
        "prefix = /usr\nlibdir = /usr/lib/freeradius\nraddbdir = {at}\nlogdir = {at}\nrun_dir = {at}\ndb_dir = {at}\n\
         log {{\n  destination = stdout\n}}\nsecurity {{\n  allow_vulnerable_openssl = yes\n}}\n\
         client localhost {{\n  ipaddr = 127.0.0.1\n  secret = {SECRET}\n  require_message_authenticator = no\n}}\n\
         modules {{\n  eap {{\n    default_eap_type = tls\n    tls-config devices {{\n      private_key_file = {}\n      \
         certificate_file = {}\n      ca_file = {}\n      cipher_list = \"DEFAULT\"\n      tls_min_version = \"1.2\"\n      \
         tls_max_version = \"1.2\"\n      ecdh_curve = \"\"\n    }}\n    tls {{\n      tls = devices\n    }}\n  }}\n}}\n\
         server default {{\n  listen {{\n    type = auth\n    ipaddr = 127.0.0.1\n    port = {port}\n  }}\n  \
         authorize {{\n    eap\n  }}\n  authenticate {{\n    eap\n  }}\n}}\n",
        key.display(),
        certificate.display(),
        roots.display()
    )
}
