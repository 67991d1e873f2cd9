//! Chromium without a window, driven by WebDriver (W3C) over plain HTTP.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::program;
use crate::{http, wait::until};

/// The name under which WebDriver gives elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser; it ends with this value.
pub struct Chromium {
    folder: TempDir,
    driver: SocketAddr,
    session: String,
    _child: Child,
}

/// Whose browser it is. With one of these it believes only certificates that verify, and finds every host on this computer.
#[derive(Debug, Clone, Copy)]
pub struct Seat<'a> {
    /// The person's home, with the NSS database.
    pub home: &'a Path,
    /// What the browser finds as `/etc/chromium`, with `policies/managed` in it.
    pub computer: &'a Path,
}

impl Chromium {
    /// A browser with or without scripts, of this size, that believes any certificate.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(scripts: bool, size: (u32, u32)) -> Self {
        Self::start_as(scripts, size, None).await
    }

    /// The browser of a person.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_at(seat: Seat<'_>) -> Self {
        Self::start_as(true, (1280, 900), Some(seat)).await
    }

    async fn start_as(scripts: bool, (width, height): (u32, u32), seat: Option<Seat<'_>>) -> Self {
        let (driver, browser) = (program("chromedriver", "chromium-driver"), program("chromium", "chromium"));
        let folder = tempfile::Builder::new().prefix("lanyard-chromium-").tempdir().unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        // Processes of its own, which all end with the driver, whatever becomes of the test; and a view of the files of its own, in which the
        // policies are those of the test.
        let mut command = Command::new(program("unshare", "util-linux"));
        command.args(["--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-euc"]);
        command.args(["[ -z \"$0\" ] || mount --bind \"$0\" /etc/chromium; exec \"$@\""]);
        command.arg(seat.map_or(Path::new(""), |seat| seat.computer)).arg(driver);
        let home = seat.map_or(folder.path(), |seat| seat.home);
        command.arg(format!("--port={port}")).env("HOME", home).stdin(Stdio::null());
        let child = command.stdout(log.try_clone().unwrap()).stderr(log).kill_on_drop(true).spawn().unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        until("the browser's driver to listen", || async move { tokio::net::TcpStream::connect(address).await.ok() }).await;
        let mut chromium = Self { folder, driver: address, session: String::new(), _child: child };
        let downloads = chromium.downloads();
        fs::create_dir(&downloads).unwrap();
        let mut preferences = json!({ "download.default_directory": downloads, "download.prompt_for_download": false });
        if !scripts {
            preferences["profile.managed_default_content_settings.javascript"] = json!(2);
        }
        let mut arguments = vec![
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            format!("--window-size={width},{height}"),
            format!("--user-data-dir={}", chromium.folder.path().join("profile").display()),
        ];
        if seat.is_some() {
            arguments.push("--host-resolver-rules=MAP * 127.0.0.1".to_owned());
        }
        let wanted = json!({ "capabilities": { "alwaysMatch": { "timeouts": { "implicit": 5000 },
            "acceptInsecureCerts": seat.is_none(),
            "goog:chromeOptions": { "binary": browser, "args": arguments, "prefs": preferences },
        } } });
        let made = chromium.call("POST", "/session", &wanted).await;
        made["sessionId"].as_str().expect("a session").clone_into(&mut chromium.session);
        let screen = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        chromium.tools("Emulation.setDeviceMetricsOverride", &screen).await;
        let allowed = json!({ "behavior": "allow", "downloadPath": chromium.downloads() });
        chromium.tools("Browser.setDownloadBehavior", &allowed).await;
        chromium
    }

    fn downloads(&self) -> PathBuf {
        self.folder.path().join("downloads")
    }

    async fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        self.try_call(method, path, body).await.unwrap_or_else(|told| panic!("{method} {path}: {told}"))
    }

    async fn try_call(&self, method: &str, path: &str, body: &Value) -> Result<Value, Value> {
        let body = if method == "GET" { Vec::new() } else { body.to_string().into_bytes() };
        let answer = http::request_by_length(self.driver, method, path, &body).await;
        let answer = answer.expect("an answer of the driver");
        let mut told: Value = serde_json::from_slice(&answer.body).unwrap_or_else(|e| panic!("{e}: {}", answer.text()));
        if answer.status == 200 { Ok(told["value"].take()) } else { Err(told) }
    }

    async fn do_it(&self, method: &str, path: &str, body: &Value) -> Value {
        self.call(method, &format!("/session/{}{path}", self.session), body).await
    }

    async fn tools(&self, command: &str, parameters: &Value) {
        self.do_it("POST", "/goog/cdp/execute", &json!({ "cmd": command, "params": parameters })).await;
    }

    /// Opens an address.
    pub async fn open(&self, address: &str) {
        self.do_it("POST", "/url", &json!({ "url": address })).await;
    }

    /// Where it is.
    ///
    /// # Panics
    /// When it is nowhere.
    pub async fn address(&self) -> String {
        self.do_it("GET", "/url", &json!({})).await.as_str().unwrap().to_owned()
    }

    /// Title of the page.
    ///
    /// # Panics
    /// When there is none.
    pub async fn title(&self) -> String {
        self.do_it("GET", "/title", &json!({})).await.as_str().unwrap().to_owned()
    }

    async fn find(&self, selector: &str) -> String {
        let found = self.do_it("POST", "/element", &json!({ "using": "css selector", "value": selector })).await;
        found[ELEMENT].as_str().unwrap_or_else(|| panic!("no {selector}")).to_owned()
    }

    /// Does something with an element. One that a new page took away meanwhile is looked for there.
    async fn with(&self, selector: &str, method: &str, action: &str, body: &Value) -> Value {
        until("a page that stays", || async move {
            let element = self.find(selector).await;
            let path = format!("/session/{}/element/{element}/{action}", self.session);
            match self.try_call(method, &path, body).await {
                Ok(value) => Some(value),
                Err(told) if told["value"]["error"] == "stale element reference" => None,
                Err(told) => panic!("{method} {action} of {selector}: {told}"),
            }
        })
        .await
    }

    /// Text of an element, as it is seen.
    ///
    /// # Panics
    /// When there is none.
    pub async fn text(&self, selector: &str) -> String {
        self.with(selector, "GET", "text", &json!({})).await.as_str().unwrap().to_owned()
    }

    /// Presses or follows an element.
    pub async fn click(&self, selector: &str) {
        self.with(selector, "POST", "click", &json!({})).await;
    }

    /// Writes into a field.
    pub async fn write(&self, selector: &str, text: &str) {
        self.with(selector, "POST", "value", &json!({ "text": text })).await;
    }

    /// What a script of the driver returns.
    pub async fn run(&self, script: &str) -> Value {
        self.do_it("POST", "/execute/sync", &json!({ "script": script, "args": [] })).await
    }

    /// Waits for a file with this name to be there as a whole.
    pub async fn downloaded(&self, name: &str) -> Vec<u8> {
        let path = self.downloads().join(name);
        until("a download", || {
            let octets = fs::read(&path).ok().filter(|octets| !octets.is_empty());
            async move { octets }
        })
        .await
    }

    /// A picture of the whole page, kept in the folder that `LANYARD_SCREENSHOTS` names, if it does.
    ///
    /// # Panics
    /// When there is no picture.
    pub async fn picture(&self, name: &str) {
        let size = self.run("return [document.documentElement.scrollWidth, document.documentElement.scrollHeight]").await;
        let clip = json!({ "x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1 });
        let wanted = json!({ "cmd": "Page.captureScreenshot", "params": { "clip": clip, "captureBeyondViewport": true } });
        let picture = self.do_it("POST", "/goog/cdp/execute", &wanted).await;
        let octets = STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        assert!(octets.starts_with(b"\x89PNG"));
        if let Some(folder) = std::env::var_os("LANYARD_SCREENSHOTS") {
            fs::write(Path::new(&folder).join(format!("{name}.png")), octets).unwrap();
        }
    }

    /// Ends the session; the driver is killed with this value.
    pub async fn close(self) {
        self.do_it("DELETE", "", &json!({})).await;
    }
}
