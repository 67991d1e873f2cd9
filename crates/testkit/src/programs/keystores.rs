//! Files of keys and certificates as other programs make and read them: OpenSSL, GnuTLS, NSS and Java.

use std::path::Path;

use tokio::process::Command;

use super::{Done, program, run};

/// A root, a certificate with an RSA key (`user`), one with an EC key (`second`), and every file that programs make of them, in a folder. The
/// passphrase is `geheim` where there is one.
///
/// # Panics
/// When a program is absent, naming its package, or fails.
pub async fn make_all(folder: &Path) {
    for (name, package) in [
        ("openssl", "openssl"),
        ("certtool", "gnutls-bin"),
        ("pk12util", "libnss3-tools"),
        ("keytool", "openjdk-17-jre-headless"),
    ] {
        let _ = program(name, package);
    }
    run(Command::new("sh").current_dir(folder).args(["-euc", MAKE])).await.good();
}

const MAKE: &str = r#"
exec 2>&1
printf geheim > pass; : > none
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj "/O=Example/CN=Files Root" -days 30 \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
printf 'extendedKeyUsage=clientAuth,emailProtection\nsubjectAltName=email:user1@example.org\n' > ext
openssl req -newkey rsa:2048 -nodes -keyout user.key -out user.csr -subj "/O=Example/CN=user1"
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout second.key -out second.csr -subj "/O=Example/CN=user2"
for one in user second; do
  openssl x509 -req -in $one.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out $one.pem -days 20 -extfile ext
done
openssl x509 -in ca.pem -outform DER -out root.cer; cp ca.pem root.crt
cat user.pem ca.pem > both.pem
openssl crl2pkcs7 -nocrl -certfile both.pem -out chain.p7c; openssl crl2pkcs7 -nocrl -certfile both.pem -outform DER -out chain.p7b
openssl base64 -in chain.p7b -out bare.p7b
make() { openssl pkcs12 -export -inkey user.key -in user.pem -certfile ca.pem -name "Bürgeramt" "$@"; }
make -out modern.pfx -passout pass:geheim
make -legacy -out old.pfx -passout pass:geheim
make -out open.pfx -passout pass:
make -legacy -certpbe PBE-SHA1-RC2-128 -out rc2.p12 -passout pass:geheim
make -certpbe NONE -keypbe AES-128-CBC -macalg sha512 -out sha512.p12 -passout pass:geheim
certtool --to-p12 --load-privkey user.key --load-certificate user.pem --load-ca-certificate ca.pem --p12-name gnutls --password geheim \
  --outder --outfile gnutls.p12
mkdir nss; certutil -N -d nss --empty-password; pk12util -i modern.pfx -d nss -W geheim
pk12util -o nss.p12 -n "Bürgeramt" -d nss -W geheim
keytool -importkeystore -noprompt -srckeystore modern.pfx -srcstorepass geheim -destkeystore java.p12 -deststoretype PKCS12 -deststorepass geheim
openssl pkcs12 -export -inkey second.key -in second.pem -name zwei -out second.p12 -passout pass:geheim
keytool -importkeystore -noprompt -srckeystore second.p12 -srcstorepass geheim -destkeystore java.p12 -deststorepass geheim
cat user.key user.pem > plain.pem
{ openssl rsa -in user.key -traditional; cat user.pem; } > pkcs1.pem
{ openssl rsa -in user.key -traditional -aes256 -passout pass:geheim; cat user.pem; } > pkcs1-locked.pem
{ openssl pkcs8 -topk8 -in user.key -passout pass:geheim; cat user.pem; } > pkcs8-locked.pem
{ openssl pkcs8 -topk8 -in user.key -v1 PBE-SHA1-3DES -passout pass:geheim; cat user.pem; } > pkcs8-old.pem
{ openssl ec -in second.key; cat second.pem; } > sec1.pem
{ openssl x509 -in user.pem -text; cat user.key; } > text.pem
openssl x509 -in user.pem -trustout -out trusted.pem; openssl x509 -in user.pem -text >> trusted.pem
sed 's/$/\r/' plain.pem > windows.pem
"#;

/// What each of the programs finds in a PKCS#12 file with this passphrase.
///
/// # Panics
/// When a program is absent, naming its package.
pub async fn read_by_all(file: &Path, passphrase: &str) -> Vec<(&'static str, Done)> {
    let folder = crate::temporary::folder("keystores");
    let database = folder.path().join("nss");
    std::fs::create_dir(&database).unwrap();
    let mut made = Command::new(program("certutil", "libnss3-tools"));
    run(made.args(["-N", "--empty-password", "-d"]).arg(&database)).await.good();
    let mut openssl = Command::new(program("openssl", "openssl"));
    openssl.args(["pkcs12", "-legacy", "-nodes", "-passin", &format!("pass:{passphrase}"), "-in"]).arg(file);
    let mut gnutls = Command::new(program("certtool", "gnutls-bin"));
    gnutls.args(["--p12-info", "--inder", "--password", passphrase, "--infile"]).arg(file);
    let mut nss = Command::new(program("pk12util", "libnss3-tools"));
    nss.args(["-W", passphrase, "-d"]).arg(&database).arg("-i").arg(file);
    let mut java = Command::new(program("keytool", "openjdk-17-jre-headless"));
    java.args(["-list", "-storepass", passphrase, "-keystore"]).arg(file);
    let mut done = Vec::new();
    for (name, mut command) in [("OpenSSL", openssl), ("GnuTLS", gnutls), ("NSS", nss), ("Java", java)] {
        done.push((name, run(&mut command).await));
    }
    done
}
