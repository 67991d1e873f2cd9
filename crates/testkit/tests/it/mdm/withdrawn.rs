//! What becomes of the certificates that a device got, when it is blocked or its management ends.

use lanyard_mdm::session::device::{DeviceSession, Next};
use lanyard_model::fleet::EnrollmentState;
use lanyard_server::api::fleet_types::EnrollmentView;
use lanyard_testkit::{keys::rsa, server::TestServer};
use serde_json::json;

use super::{
    commands::fleet,
    fleet::{WIFI, call},
    managed::{Managed, server},
};

/// A device that fetched the certificate of the policy.
async fn with_certificate(server: &TestServer, n: usize, key: usize) -> (Managed, String) {
    let mut device = Managed::enrolled(server, n).await;
    device.sync(server).await;
    let serial = device.fetch_by_scep(server, "wifi-1", rsa(key)).await.serial().unwrap().to_string();
    device.sync(server).await;
    (device, serial)
}

async fn status(server: &TestServer, serial: &str) -> (String, Option<String>) {
    let certificate = server.admin.certificate(serial).await;
    (certificate.status, certificate.revocation_reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_blocked_device_got_is_revoked_and_fetched_anew_when_it_may_again() {
    let server = server(WIFI).await;
    let (mut device, serial) = with_certificate(&server, 1, 90).await;
    let identity = device.certificate.serial().unwrap().to_string();
    assert_eq!(call::<usize>(&server, "POST", "/fleet/L-1/block", &json!({ "keep-certificates": true })).await, 0);
    assert_eq!(status(&server, &serial).await.0, "valid");
    assert_eq!(call::<usize>(&server, "POST", "/fleet/L-1/block", &json!({})).await, 1);
    assert_eq!(status(&server, &serial).await, ("revoked".into(), Some("privilegeWithdrawn".into())));
    assert_eq!(status(&server, &identity).await.0, "valid", "the identity is refused as long as the device is blocked");
    call::<bool>(&server, "POST", "/fleet/L-1/unblock", &()).await;
    device.sync(&server).await;
    let fresh = device.fetch_by_scep(&server, "wifi-2", rsa(91)).await.serial().unwrap().to_string();
    device.sync(&server).await;
    assert_eq!(device.state(&server, "certificate wifi").await, "verified");
    // One that was fetched and not shown yet, and the one before it.
    call::<usize>(&server, "POST", "/fleet/L-1/renew", &json!({})).await;
    device.sync(&server).await;
    let newest = device.fetch_by_scep(&server, "wifi-3", rsa(92)).await.serial().unwrap().to_string();
    assert_eq!(call::<usize>(&server, "POST", "/fleet/L-1/block", &json!({})).await, 2);
    for serial in [&fresh, &newest] {
        assert_eq!(status(&server, serial).await.0, "revoked");
    }
    assert!(server.admin.verify_audit().await.intact);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_device_got_ends_with_its_management_unless_it_is_kept() {
    let server = server(WIFI).await;
    let (lost, of_lost) = with_certificate(&server, 1, 93).await;
    call::<EnrollmentView>(&server, "POST", "/fleet/L-1/unenroll", &json!({ "now": true })).await;
    assert_eq!(status(&server, &of_lost).await, ("revoked".into(), Some("cessationOfOperation".into())));
    assert_eq!(lost.stored(&server).await.state, EnrollmentState::Ended);
    for (n, keep) in [(2, false), (3, true)] {
        let (mut device, serial) = with_certificate(&server, n, 92 + n).await;
        let order = json!({ "keep-certificates": keep });
        call::<EnrollmentView>(&server, "POST", &format!("/fleet/L-{n}/unenroll"), &order).await;
        assert_eq!(device.sync(&server).await, Next::Unenroll);
        assert_eq!(status(&server, &serial).await.0, "valid", "nothing counts before the device says so");
        let goodbye = DeviceSession::goodbye(device.config(&server));
        device.send(&server, &goodbye).await;
        assert_eq!(status(&server, &serial).await.0, if keep { "valid" } else { "revoked" });
        assert_eq!(status(&server, &device.certificate.serial().unwrap().to_string()).await.0, "revoked");
    }
    // One that leaves by itself.
    let (mut device, serial) = with_certificate(&server, 4, 96).await;
    let goodbye = DeviceSession::goodbye(device.config(&server));
    device.send(&server, &goodbye).await;
    assert_eq!(status(&server, &serial).await.0, "revoked");
    let (success, told) = fleet(server.dir(), &["block", "--help"]).await;
    assert!(success && told.contains("--keep-certificates"));
}
