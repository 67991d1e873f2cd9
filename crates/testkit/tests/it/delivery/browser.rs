//! The portal in a real browser, at the size of a telephone and of a desktop, with scripts and without.

use lanyard_model::secret::SecretText;
use lanyard_pki::pkcs12::Pkcs12;
use lanyard_testkit::{
    programs::{
        chromium::Chromium,
        glewlwyd::{self, Glewlwyd},
    },
    server::TestServer,
    service::{Says, Service},
    wait::until,
};
use serde_json::json;

use super::support::{PASSWORD, add_person, portal};

const PHONE: (u32, u32) = (390, 844);
/// The narrowest that is sold.
const SMALL_PHONE: (u32, u32) = (360, 640);
const DESKTOP: (u32, u32) = (1280, 900);

/// What makes a page hard to use: sideways scrolling, fields without labels, odd headings, text that is hard to see, small targets.
const FAULTS: &str = r"
const faults = [];
if (document.documentElement.scrollWidth > innerWidth) faults.push('it scrolls sideways: ' + document.documentElement.scrollWidth);
if (document.documentElement.lang !== 'en') faults.push('no language');
if (document.querySelectorAll('h1').length !== 1) faults.push('not one h1');
if (!document.title) faults.push('no title');
for (const field of document.querySelectorAll('input:not([type=hidden]), select'))
  if (!field.labels.length) faults.push('no label: ' + field.name);
let level = 0;
for (const heading of document.querySelectorAll('h1, h2, h3')) {
  const now = Number(heading.tagName[1]);
  if (now > level + 1) faults.push('heading jumps: ' + heading.textContent);
  level = now;
}
for (const target of document.querySelectorAll('button, .button, input:not([type=hidden]), select'))
  if (target.getBoundingClientRect().height < 44) faults.push('too small to tap: ' + (target.textContent || target.name));
const light = ([r, g, b]) => {
  const part = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
};
const numbers = text => text.match(/[\d.]+/g).map(Number);
const ground = node => {
  for (; node; node = node.parentElement) {
    const color = numbers(getComputedStyle(node).backgroundColor);
    if (color.length < 4 || color[3] > 0) return color;
  }
  return [255, 255, 255];
};
for (const node of document.querySelectorAll('h1, h2, h3, p, a, button, dt, dd, label, li, strong, code')) {
  const [a, b] = [light(numbers(getComputedStyle(node).color)), light(ground(node))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) faults.push('contrast ' + ratio.toFixed(1) + ': ' + node.textContent.trim().slice(0, 40));
}
return faults;
";

async fn look(browser: &Chromium, name: &str) {
    let faults = browser.run(FAULTS).await;
    browser.picture(name).await;
    assert_eq!(faults, json!([]), "{name}");
}

async fn sign_in(browser: &Chromium, server: &TestServer, name: &str) -> String {
    let base = format!("https://localhost:{}/portal", server.https.port());
    browser.open(&base).await;
    browser.write("#user", name).await;
    browser.write("#password", PASSWORD).await;
    browser.click("main button").await;
    base
}

async fn visit(size: (u32, u32), scripts: bool, name: &str) {
    let server = portal().start().await;
    add_person(&server, "user1").await;
    server.admin.save_device(json!({ "id": "phone-1", "name": "My phone", "user": "user1" })).await;
    let browser = Chromium::start(scripts, size).await;
    let base = format!("https://localhost:{}/portal", server.https.port());
    browser.open(&base).await;
    look(&browser, &format!("{name}-1-sign-in")).await;
    browser.write("#user", "user1").await;
    browser.write("#password", "wrong password").await;
    browser.click("main button").await;
    assert!(browser.text("[role=alert]").await.contains("wrong"));

    // The root, in the form for Android and Windows.
    browser.click("nav a:nth-child(2)").await;
    look(&browser, &format!("{name}-2-roots")).await;
    let file = format!("root-{}.cer", lanyard_model::text::hex(&server.site.root.fingerprint()[..4]));
    browser.click(&format!("a[href$='{file}']")).await;
    assert_eq!(browser.downloaded(&file).await, server.site.root.der());

    // An identity for the phone: a file, and the passphrase that opens it.
    sign_in(&browser, &server, "user1").await;
    look(&browser, &format!("{name}-3-nothing-yet")).await;
    browser.click("select option[value='phone-1']").await;
    browser.click("#offers ~ article button:not([formaction])").await;
    look(&browser, &format!("{name}-4-file")).await;
    let passphrase = browser.text("#passphrase").await;
    browser.click("form:nth-of-type(1) button.main").await;
    let octets = browser.downloaded("identity.p12").await;
    let opened = Pkcs12::decode(&octets, &SecretText::new(passphrase)).unwrap();
    assert_eq!((opened.keys.len(), opened.certificates.len()), (1, 3));

    // The phone is lost.
    browser.open(&base).await;
    look(&browser, &format!("{name}-5-certificates")).await;
    browser.click("a[href='/portal/lost?device=phone-1']").await;
    look(&browser, &format!("{name}-6-lost")).await;
    browser.click("button.danger").await;
    assert_eq!(browser.text("h1").await, "Reported as lost");
    assert_eq!(server.admin.certificates().await[0].status, "revoked");

    // Out.
    browser.open(&base).await;
    browser.click("header button").await;
    assert_eq!(browser.text("button.main").await, "Sign in");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_telephone_without_scripts() {
    visit(PHONE, false, "phone").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_small_telephone() {
    visit(SMALL_PHONE, true, "small-phone").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_desktop() {
    visit(DESKTOP, true, "desktop").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_in_names_never_run_and_other_sites_send_nothing() {
    let server = portal().start().await;
    let evil = "<script>document.title='evil'</script><img src=x onerror=\"document.title='evil'\">\"'><svg onload=\"document.title='evil'\">";
    add_person(&server, "user1").await;
    server.admin.save_user(json!({ "name": "user1", "display-name": evil, "email": "user1@example.org" })).await;
    server.admin.save_device(json!({ "id": "phone-1", "name": evil, "user": "user1" })).await;
    let browser = Chromium::start(true, DESKTOP).await;
    let base = sign_in(&browser, &server, "user1").await;
    for page in ["", "/lost?device=phone-1", "/roots"] {
        browser.open(&format!("{base}{page}")).await;
        assert_ne!(browser.title().await, "evil", "{page}");
        assert_eq!(browser.run("return document.querySelectorAll('script, img, svg').length").await, json!(0), "{page}");
    }
    browser.open(&base).await;
    assert!(browser.text("#devices ~ article h3").await.contains("<script>"), "it is shown as the text it is");
    // Even a script that found its way into the page would not run.
    let inserted = "const s = document.createElement('script'); s.textContent = \"document.title='evil'\"; document.body.append(s); \
                    return document.title";
    assert_ne!(browser.run(inserted).await, json!("evil"));

    // A page of another site with a form that somebody is lured to press.
    let form = format!(
        "<form method=post action='{base}/lost'><input name=device value=phone-1><input name=token value=x><button>Win</button></form>"
    );
    let other = Service::start(move |_| Says::html(&form)).await;
    browser.open(&format!("http://127.0.0.1:{}/", other.address.port())).await;
    browser.click("button").await;
    until("the form to arrive", || async { browser.address().await.starts_with(&base).then_some(()) }).await;
    assert_eq!(browser.text("h1").await, "This form came from another page");
    // Nor can it show the portal inside itself.
    let frame = format!("<iframe src='{base}'></iframe>");
    let other = Service::start(move |_| Says::html(&frame)).await;
    browser.open(&format!("http://127.0.0.1:{}/", other.address.port())).await;
    let seen = browser
        .run("try { return document.querySelector('iframe').contentDocument.body.innerText } catch (e) { return 'refused' }")
        .await;
    assert!(!seen.to_string().contains("certificates"), "{seen}");
    assert!(server.admin.audit().await.iter().all(|record| record.kind != "reported-lost"));
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_signs_in_at_a_real_provider() {
    // Each must know where the other is: the port is taken first.
    let https = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let provider = Glewlwyd::start(&format!("https://localhost:{}/portal/callback", https.port())).await;
    let section = format!(
        "[oidc]\nissuer = \"{}\"\nclient-id = \"{}\"\nclient-secret-file = \"oidc.secret\"\nca-file = \"oidc.pem\"\n\
         allow-addresses = [\"127.0.0.0/8\", \"::1/128\"]\ntimeout = \"5s\"\n[listen]",
        provider.issuer(),
        glewlwyd::CLIENT_ID
    );
    let builder = portal().config("[listen]", &section).config("https = \"127.0.0.1:0\"", &format!("https = \"{https}\""));
    let builder = builder.file("oidc.secret", glewlwyd::CLIENT_SECRET).file("oidc.pem", provider.certificate());
    let server = builder.start().await;
    add_person(&server, glewlwyd::USER).await;
    let browser = Chromium::start(true, PHONE).await;
    let base = format!("https://localhost:{}/portal", server.https.port());
    browser.open(&base).await;
    assert_eq!(browser.run("return document.querySelectorAll('input[type=password]').length").await, json!(0));
    browser.click("a.button.main").await;
    // On the provider's own pages: who, and whether Lanyard may know.
    browser.write("#username", glewlwyd::USER).await;
    browser.write("#password", glewlwyd::PASSWORD).await;
    browser.click("#loginbut").await;
    let there = async |selector: &str| {
        let script = format!("return document.querySelector('{selector}') !== null");
        until(selector, || async { (browser.run(&script).await == json!(true)).then_some(()) }).await;
    };
    there(".form-check-input").await;
    browser.click("button.btn-primary").await;
    // The page draws itself anew with what was granted.
    there("button.btn-success:enabled").await;
    until("the way back", || async {
        browser.run("document.querySelector('button.btn-success:enabled')?.click()").await;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        (browser.address().await == base).then_some(())
    })
    .await;
    look(&browser, "elsewhere-1-signed-in").await;
    assert!(browser.text("body").await.contains("Person user1"), "{}", browser.text("body").await);
    // A person like any other from here on.
    browser.click("#offers ~ article button:not([formaction])").await;
    assert!(!browser.text("#passphrase").await.is_empty());
    assert_eq!(server.admin.certificates().await[0].san, ["email:user1@example.org"]);
    browser.open(&base).await;
    browser.click("header button").await;
    assert_eq!(browser.text("a.button.main").await, "Sign in");
    browser.close().await;
}
