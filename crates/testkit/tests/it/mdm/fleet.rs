//! What devices get by policy, and what an administrator does to them.

use lanyard_mdm::{profile::trusted_certificate::thumbprint, session::device::Next};
use lanyard_model::time::Span;
use lanyard_testkit::keys::rsa;

use super::managed::{Managed, server, uri};

const WIFI: &str = r#"
[[scep]]
name = "wifi"
template = "wifi"
renew-before = "30d"

[[wifi]]
ssid = "Example Net"
eap = { scep = "wifi", server-names = ["radius.example.org"] }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_becomes_roots_a_certificate_and_a_network_in_this_order() {
    let server = server(WIFI).await;
    let mut device = Managed::enrolled(&server, 1).await;
    assert!(matches!(device.sync(&server).await, Next::Ended { .. }));
    let root = thumbprint(server.site.root.der());
    let node = uri(&format!("./Device/Vendor/MSFT/RootCATrustedCertificates/Root/{root}/EncodedCertificate"));
    assert!(device.tree.value(&node).is_some());
    assert_eq!(device.state(&server, "certificate wifi").await, "acknowledged", "the device has not fetched it yet");
    assert_eq!(device.state(&server, "wireless network").await, "queued", "it waits for the certificate");
    let certificate = device.fetch_by_scep(&server, "wifi-1", rsa(70)).await;
    assert_eq!(certificate.subject().unwrap().to_string(), "CN=laptop-1,O=Example");
    assert_eq!(device.state(&server, "certificate wifi").await, "acknowledged", "nobody has seen it yet");
    assert!(matches!(device.sync(&server).await, Next::Ended { .. }));
    assert_eq!(device.state(&server, "certificate wifi").await, "verified");
    assert_eq!(device.state(&server, "wireless network").await, "verified");
    let profile = device.tree.value(&uri("./Device/Vendor/MSFT/WiFi/Profile/Example%20Net/WlanXml")).unwrap();
    assert!(profile.contains("IssuerHash") && profile.contains("radius.example.org"));
    // Nothing more to do, until the certificate nears its end.
    let jobs = device.jobs(&server).await.len();
    device.sync(&server).await;
    assert_eq!(device.jobs(&server).await.len(), jobs);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_replaced_before_its_end_without_a_gap() {
    let server = server(&format!("inventory-every = \"3650d\"\n{WIFI}")).await;
    let mut device = Managed::enrolled(&server, 1).await;
    device.sync(&server).await;
    device.fetch_by_scep(&server, "wifi-1", rsa(71)).await;
    device.sync(&server).await;
    server.advance(Span::from_days(336));
    device.sync(&server).await;
    let old = uri("./Device/Vendor/MSFT/ClientCertificateInstall/SCEP/wifi-1/CertThumbprint");
    assert!(device.tree.value(&old).is_some(), "the old one stays until there is a new one");
    assert_eq!(device.state(&server, "certificate wifi").await, "acknowledged");
    device.fetch_by_scep(&server, "wifi-2", rsa(72)).await;
    device.sync(&server).await;
    assert_eq!(device.state(&server, "certificate wifi").await, "verified");
    device.sync(&server).await;
    assert_eq!(device.state(&server, "remove what scep/wifi replaces").await, "verified");
    assert!(device.tree.value(&old).is_none());
}
