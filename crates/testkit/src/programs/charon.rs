//! strongSwan's IKE daemon, twice: a gateway and a client in networks of their own, which nobody else sees. Both wrap packets themselves
//! (`kernel-libipsec`), so that the kernel needs nothing but TUN.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use tokio::process::Command;

use super::{Done, program, run};
use crate::temporary;

const DAEMON: &str = "/usr/lib/ipsec/charon";
const USERLAND: &str = "/usr/lib/ipsec/plugins/libstrongswan-kernel-libipsec.so";
const PLUGINS: &str = "random nonce x509 constraints pubkey pem pkcs1 pkcs8 openssl kdf hmac kernel-libipsec kernel-netlink socket-default vici \
                       revocation";

/// Address of the gateway, as the client sees it.
pub const GATEWAY: &str = "10.9.0.2";

/// Both ends live in namespaces of their own and die with them. A page behind the gateway says hello.
const SCRIPT: &str = r#"
mount -t tmpfs none /run; mkdir /run/netns; ip netns add gateway
ip link add c type veth peer name g netns gateway
ip link set lo up; ip addr add 10.9.0.1/24 dev c; ip link set c up
ip netns exec gateway sh -c "ip link set lo up; ip addr add 10.9.0.2/24 dev g; ip link set g up; ip addr add 10.10.0.1/24 dev lo"
STRONGSWAN_CONF=client.conf ./charon > client.out 2>&1 &
STRONGSWAN_CONF=gateway.conf ip netns exec gateway unshare -m sh -c 'mount -t tmpfs none /run; exec ./charon' > gateway.out 2>&1 &
ip netns exec gateway python3 -m http.server --bind 10.10.0.1 --directory page 80 > page.out 2>&1 &
for end in client gateway; do for i in $(seq 100); do [ -S $end.vici ] && break; sleep 0.1; done; done
load() { STRONGSWAN_CONF=$1.conf SWANCTL_DIR=$2 ./swanctl --load-all --noprompt --uri unix://$PWD/$1.vici 2>&1 | grep -v "^opening directory"; }
until ip netns exec gateway curl -s --max-time 1 http://10.10.0.1/hello > /dev/null; do sleep 0.1; done
load gateway gateway; load client "$0"
if curl -s --max-time 2 http://10.10.0.1/hello; then echo "there is a way without a tunnel"; exit 1; fi
STRONGSWAN_CONF=client.conf ./swanctl --initiate --child "$1" --timeout 15 --uri unix://$PWD/client.vici 2>&1
STRONGSWAN_CONF=client.conf ./swanctl --list-sas --uri unix://$PWD/client.vici
curl -sS --max-time 15 http://10.10.0.1/hello
"#;

/// A gateway; what it needs lies in a folder.
pub struct Gateway {
    folder: TempDir,
}

impl Gateway {
    /// One with this certificate and key (PEM files), which believes clients under this root.
    ///
    /// # Panics
    /// When a package is missing, naming it.
    #[must_use]
    pub fn new(name: &str, certificate: &Path, key: &Path, root: &Path) -> Self {
        assert!(Path::new(DAEMON).is_file(), "{DAEMON} is needed: apt-get install strongswan-charon");
        assert!(Path::new(USERLAND).is_file(), "{USERLAND} is needed: apt-get install libcharon-extra-plugins");
        let folder = temporary::folder("vpn");
        let at = |name: &str| folder.path().join(name);
        // Copies, because profiles of AppArmor know the programs by their paths and let them read nothing of ours.
        fs::copy(DAEMON, at("charon")).unwrap();
        fs::copy(program("swanctl", "strongswan-swanctl"), at("swanctl")).unwrap();
        for end in ["client", "gateway"] {
            let socket = at(&format!("{end}.vici"));
            let text = format!(
                "charon {{\n  load = {PLUGINS}\n  plugins {{\n    vici {{\n      socket = unix://{}\n    }}\n  }}\n}}\n\
                 swanctl {{\n  load = random nonce x509 pubkey pem pkcs1 pkcs8 openssl\n}}\n",
                socket.display()
            );
            fs::write(at(&format!("{end}.conf")), text).unwrap();
        }
        for (kind, from) in [("x509", certificate), ("private", key), ("x509ca", root)] {
            fs::create_dir_all(at("gateway").join(kind)).unwrap();
            fs::copy(from, at("gateway").join(kind).join("file.pem")).unwrap();
        }
        let text = format!(
            "connections {{\n  people {{\n    version = 2\n    pools = people\n    local {{\n      auth = pubkey\n      certs = file.pem\n      \
             id = {name}\n    }}\n    remote {{\n      auth = pubkey\n      cacerts = file.pem\n    }}\n    children {{\n      net {{\n        \
             local_ts = 10.10.0.0/24\n      }}\n    }}\n  }}\n}}\npools {{\n  people {{\n    addrs = 10.20.0.0/28\n  }}\n}}\n"
        );
        fs::write(at("gateway/swanctl.conf"), text).unwrap();
        fs::create_dir(at("page")).unwrap();
        fs::write(at("page/hello"), "hello from behind the gateway\n").unwrap();
        Self { folder }
    }

    /// Lets a client load a folder for `swanctl`, begin this child, and fetch the page behind the gateway; succeeds when that came.
    pub async fn try_with(&self, swanctl: &Path, child: &str) -> Done {
        for (name, package) in [("python3", "python3"), ("curl", "curl"), ("ip", "iproute2")] {
            drop(program(name, package));
        }
        let mut command = Command::new(program("unshare", "util-linux"));
        command.args(["--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
        command.args(["bash", "-c", SCRIPT]).arg(swanctl).arg(child).current_dir(self.folder.path());
        for socket in ["client.vici", "gateway.vici"] {
            let _ = fs::remove_file(self.folder.path().join(socket));
        }
        run(&mut command).await
    }

    /// What a daemon told: `client` or `gateway`.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn told(&self, end: &str) -> String {
        let path: PathBuf = self.folder.path().join(format!("{end}.out"));
        fs::read_to_string(path).unwrap()
    }
}
