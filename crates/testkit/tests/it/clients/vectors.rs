//! Writes the golden vectors of `crates/enroll/testdata/scep` that no real client sent.

use std::{fs, path::Path};

use lanyard_testkit::{
    keys::rsa,
    scep::{
        device::Device,
        endpoint::Endpoint,
        habits::{CLIENTS, enrolment},
    },
    server::TestServer,
};

/// Run by hand, with `LANYARD_WRITE_VECTORS=1`, when a habit is added: the keys are thrown away with the server.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes files into the source tree"]
async fn write_the_vectors() {
    assert!(std::env::var_os("LANYARD_WRITE_VECTORS").is_some(), "this writes files; set LANYARD_WRITE_VECTORS=1");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../enroll/testdata/scep");
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    for client in CLIENTS {
        let device = Device::new(rsa(0), "CN=device-1,O=Example").challenge("NOT-A-CHALLENGE");
        let (_, wire) = enrolment(client, device, &endpoint, false);
        let folder = folder.join(format!("{client}-written"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("pkcsreq.http"), &wire.http).unwrap();
        fs::write(folder.join("pkcsreq.der"), &wire.message).unwrap();
    }
}
