//! `lanyard-tpm` itself, as the device asks it: every operation, and what is refused.

use std::{fs, path::Path, process::Stdio};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lanyard_pki::crypto::digest::sha256;
use lanyard_testkit::{
    process::lanyard_tpm,
    programs::{openssl::openssl, swtpm::Swtpm},
    temporary,
};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, process::Command};

/// Asks these lines in one run; the answers, and whether it ended well.
async fn ask(tpm: &str, lines: &[String]) -> (Vec<Value>, bool) {
    let mut command = Command::new(lanyard_tpm());
    command.env("LANYARD_TPM", tpm).env("TSS2_LOG", "all+NONE");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    // It may end before it has read everything.
    let _ = input.write_all((lines.join("\n") + "\n").as_bytes()).await;
    drop(input);
    let output = child.wait_with_output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), output.status.success())
}

async fn one(tpm: &Swtpm, question: Value) -> Value {
    let (answers, good) = ask(&tpm.name(), &[question.to_string()]).await;
    assert!(good && answers.len() == 1, "{answers:?}");
    answers.into_iter().next().unwrap()
}

fn octets(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap_or_else(|| panic!("{value}"))).unwrap()
}

fn code(answer: &Value) -> &str {
    answer["error"]["code"].as_str().unwrap_or_else(|| panic!("no error: {answer}"))
}

/// Whether OpenSSL finds the signature right.
async fn verifies(folder: &Path, public: &Value, message: &[u8], signature: &Value) -> bool {
    fs::write(folder.join("public.der"), octets(public)).unwrap();
    fs::write(folder.join("message"), message).unwrap();
    fs::write(folder.join("signature"), octets(signature)).unwrap();
    openssl(&["pkey", "-pubin", "-inform", "DER", "-in", "public.der", "-out", "public.pem"], folder).await.good();
    openssl(&["dgst", "-sha256", "-verify", "public.pem", "-signature", "signature", "message"], folder).await.success
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_both_kinds_sign_and_rsa_decrypts_what_openssl_encrypted() {
    let tpm = Swtpm::start().await;
    let folder = temporary::folder("scratch");
    let message = b"what is signed";
    for (kind, pin) in [("rsa:2048", None), ("rsa:2048", Some("1234")), ("ec:p256", None), ("ec:p256", Some("correct horse"))] {
        let made = one(&tpm, json!({ "op": "create", "kind": kind, "pin": pin })).await["ok"].clone();
        let shown = one(&tpm, json!({ "op": "public", "key": made["key"] })).await;
        assert_eq!(shown["ok"]["public"], made["public"]);
        let digest = STANDARD.encode(sha256(message));
        let sign = |pin: Value| json!({ "op": "sign", "key": made["key"], "pin": pin, "digest": digest, "hash": "sha256" });
        let signed = one(&tpm, sign(json!(pin))).await;
        assert!(verifies(folder.path(), &made["public"], message, &signed["ok"]["signature"]).await, "{kind}");
        assert!(!verifies(folder.path(), &made["public"], b"else", &signed["ok"]["signature"]).await, "{kind}");
        // A PIN where none belongs, and none where one does, never reach the TPM.
        let other = if pin.is_some() { Value::Null } else { json!("1234") };
        assert_eq!(code(&one(&tpm, sign(other)).await), "request");

        let encrypt = ["pkeyutl", "-encrypt", "-pubin", "-inkey", "public.pem", "-in", "message", "-out", "encrypted"];
        if kind == "rsa:2048" {
            openssl(&encrypt, folder.path()).await.good();
        }
        let data = if kind == "rsa:2048" { fs::read(folder.path().join("encrypted")).unwrap() } else { vec![1; 256] };
        let decrypt = |data: &[u8]| json!({ "op": "decrypt", "key": made["key"], "pin": pin, "data": STANDARD.encode(data) });
        let opened = one(&tpm, decrypt(&data)).await;
        if kind == "rsa:2048" {
            assert_eq!(octets(&opened["ok"]["plain"]), b"else", "the last that was written");
            assert_eq!(code(&one(&tpm, decrypt(&[1; 256])).await), "failed", "what nobody encrypted");
        } else {
            assert_eq!(code(&opened), "request");
        }
    }
    let state = one(&tpm, json!({ "op": "lockout" })).await["ok"].clone();
    assert_eq!((&state["failed"], &state["locked"], &state["wait"]), (&json!(0), &json!(false), &json!(0)), "{state}");
    assert_eq!(tpm.occupied().await.trim(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_a_request_is_refused_and_the_next_one_is_answered() {
    let tpm = Swtpm::start().await;
    let made = one(&tpm, json!({ "op": "create", "kind": "ec:p256" })).await["ok"].clone();
    let key = made["key"].clone();
    let mut broken = octets(&key);
    *broken.last_mut().unwrap() ^= 1;
    let broken = STANDARD.encode(broken);
    let digest = STANDARD.encode([1; 32]);
    let refused = [
        ("", "request"),
        ("[]", "request"),
        (r#"{"op":"clear"}"#, "request"),
        (r#"{"op":"lockout","more":1}"#, "request"),
        (r#"{"op":"create","kind":"rsa:1024"}"#, "request"),
        (r#"{"op":"create","kind":"rsa:4096"}"#, "request"),
        (r#"{"op":"create","kind":"ec:p384"}"#, "request"),
        (r#"{"op":"create","kind":"ec:p256","pin":"123"}"#, "request"),
        (r#"{"op":"create","kind":"ec:p256","pin":"123456789012345678901234567890123"}"#, "request"),
        (r#"{"op":"create","kind":"ec:p256","pin":"1234\u0000"}"#, "request"),
        (r#"{"op":"public","key":"not base64"}"#, "request"),
        (r#"{"op":"public","key":"AAAA"}"#, "request"),
        (&format!(r#"{{"op":"public","key":"{broken}"}}"#), "key"),
        (&format!(r#"{{"op":"sign","key":{key},"digest":"AAAA","hash":"sha256"}}"#), "request"),
        (&format!(r#"{{"op":"sign","key":{key},"digest":"{digest}","hash":"sha1"}}"#), "request"),
        (&format!(r#"{{"op":"sign","key":{key},"digest":"{digest}","hash":"sha256","pin":"1234"}}"#), "request"),
    ]
    .map(|(line, code)| (line.to_owned(), code));
    let mut lines: Vec<String> = refused.iter().map(|(line, _)| line.clone()).collect();
    lines.push(r#"{"op":"lockout"}"#.into());
    let (answers, good) = ask(&tpm.name(), &lines).await;
    assert!(good && answers.len() == lines.len(), "{answers:?}");
    for ((line, wanted), answer) in refused.iter().zip(&answers) {
        assert_eq!(code(answer), *wanted, "{line}");
    }
    assert!(answers.last().unwrap()["ok"].is_object());

    // A line without an end is the end.
    let (answers, good) = ask(&tpm.name(), &["x".repeat(20_000), r#"{"op":"lockout"}"#.into()]).await;
    assert!(!good && answers.len() == 1 && code(&answers[0]) == "request", "{answers:?}");
    let (answers, _) = ask("device:/dev/there-is-none", &[r#"{"op":"lockout"}"#.into()]).await;
    assert_eq!(code(&answers[0]), "unavailable");
    assert_eq!(tpm.occupied().await.trim(), "");
}
