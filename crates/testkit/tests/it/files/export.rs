//! What may leave the store, and who reads it.

use lanyard_testkit::{
    programs::{
        keystores::{make_all, read_by_all},
        openssl::openssl,
    },
    temporary,
};

use super::{device, device_json};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_leaves_only_where_that_was_allowed_and_every_program_reads_the_file() {
    let folder = temporary::folder("files");
    make_all(folder.path()).await;
    let name = |name: &str| folder.path().join(name).display().to_string();
    let (pfx, pass) = (name("modern.pfx"), name("pass"));
    let kept = folder.path().join("kept");
    device(&kept, &["install", &pfx, "--passphrase-file", &pass, "--yes"]).await.good();
    let id = device_json(&kept, &["list"]).await["identities"][0]["id"].as_str().unwrap().to_owned();
    for form in ["--pkcs12", "--pkcs12-old", "--pem"] {
        let out = name("leak");
        let refused = device(&kept, &["export", &id, form, "--out", &out, "--passphrase-file", &pass]).await;
        assert!(!refused.success && refused.output.contains("agent.not-exportable"), "{}", refused.output);
        assert!(!folder.path().join("leak").exists());
    }
    let public = device(&kept, &["export", &id, "--certificate"]).await.good();
    assert!(public.contains("BEGIN CERTIFICATE") && !public.contains("PRIVATE"), "{public}");

    let loose = folder.path().join("loose");
    device(&loose, &["install", &pfx, "--passphrase-file", &pass, "--yes", "--exportable", "--trust-roots"]).await.good();
    let id = device_json(&loose, &["list"]).await["identities"][0]["id"].as_str().unwrap().to_owned();
    for (form, out) in [("--pkcs12", "new.pfx"), ("--pkcs12-old", "new-old.pfx")] {
        let file = name(out);
        device(&loose, &["export", &id, form, "--out", &file, "--passphrase-file", &pass]).await.good();
        for (program, read) in read_by_all(&folder.path().join(out), "geheim").await {
            assert!(read.success, "{program}: {}", read.output);
        }
        let key =
            openssl(&["pkcs12", "-legacy", "-in", out, "-nocerts", "-nodes", "-passin", "file:pass"], folder.path()).await.good();
        std::fs::write(folder.path().join("again.key"), key).unwrap();
        let again = openssl(&["rsa", "-noout", "-modulus", "-in", "again.key"], folder.path()).await.good();
        let first = openssl(&["rsa", "-noout", "-modulus", "-in", "user.key"], folder.path()).await.good();
        assert_eq!(again, first, "the same key");
        let again = device(&loose, &["export", &id, form, "--out", &file, "--passphrase-file", &pass]).await;
        assert!(!again.success, "a file that is there is not written over");
    }
}
