//! EnterpriseAppManagement: company apps of Windows Phone 8.x.

use crate::csp::{Csp, Format::*, NodeSpec, Scopes};

/// EnterpriseAppManagement, in the device's tree.
pub static ENTERPRISE_APP_MANAGEMENT: Csp = Csp {
    name: "EnterpriseAppManagement",
    base: &["Vendor", "MSFT", "EnterpriseAppManagement"],
    scopes: Scopes::Device,
    ignore_case: false,
    nodes: &[
        NodeSpec::interior("", "G"),
        NodeSpec::many("<EnterpriseID>", "AGD"),
        NodeSpec::leaf("<EnterpriseID>/EnrollmentToken", Chr, "AGR"),
        NodeSpec::optional("<EnterpriseID>/StoreProductID", "AG"),
        NodeSpec::leaf("<EnterpriseID>/StoreProductID/ProductId", Chr, "AG"),
        NodeSpec::leaf("<EnterpriseID>/StoreUri", Chr, "AG"),
        NodeSpec::leaf("<EnterpriseID>/CertificateSearchCriteria", Chr, "AG"),
        NodeSpec::leaf("<EnterpriseID>/Status", Int, "G").default("0").range(0, 3),
        NodeSpec::leaf("<EnterpriseID>/CRLCheck", Chr, "AGR").one_of(&["0", "1"]),
        NodeSpec::interior("<EnterpriseID>/EnterpriseApps", "G"),
        NodeSpec::interior("<EnterpriseID>/EnterpriseApps/Inventory", "G"),
        NodeSpec::many("<EnterpriseID>/EnterpriseApps/Inventory/<ProductID>", "GD"),
        NodeSpec::leaf("<EnterpriseID>/EnterpriseApps/Inventory/<ProductID>/Version", Chr, "G"),
        NodeSpec::leaf("<EnterpriseID>/EnterpriseApps/Inventory/<ProductID>/Title", Chr, "G"),
        NodeSpec::leaf("<EnterpriseID>/EnterpriseApps/Inventory/<ProductID>/Publisher", Chr, "G"),
        NodeSpec::leaf("<EnterpriseID>/EnterpriseApps/Inventory/<ProductID>/InstallDate", Chr, "G"),
        NodeSpec::interior("<EnterpriseID>/EnterpriseApps/Download", "G"),
        NodeSpec::many("<EnterpriseID>/EnterpriseApps/Download/<ProductID>", "AGR"),
        NodeSpec::leaf("<EnterpriseID>/EnterpriseApps/Download/<ProductID>/Version", Chr, "AGR"),
        NodeSpec::leaf("<EnterpriseID>/EnterpriseApps/Download/<ProductID>/URL", Chr, "AGR"),
        // The text allows Get only, the examples add and replace it.
        NodeSpec::leaf("<EnterpriseID>/EnterpriseApps/Download/<ProductID>/Name", Chr, "AGR"),
        NodeSpec::leaf("<EnterpriseID>/EnterpriseApps/Download/<ProductID>/Status", Int, "G").range(0, 7),
        NodeSpec::leaf("<EnterpriseID>/EnterpriseApps/Download/<ProductID>/LastError", Int, "G"),
        NodeSpec::leaf("<EnterpriseID>/EnterpriseApps/Download/<ProductID>/LastErrorDesc", Chr, "G"),
        // Added as a number by the examples, before it is executed.
        NodeSpec::leaf("<EnterpriseID>/EnterpriseApps/Download/<ProductID>/DownloadInstall", Int, "AX"),
    ],
};
