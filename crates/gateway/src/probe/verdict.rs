//! Every verdict with its code, what it means, why it usually happens and what to do. The only place with texts.

use serde::Serialize;

/// How good a verdict is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Good,
    /// Works, but somebody should look at it.
    Warning,
    /// Something keeps people out.
    Bad,
}

/// A verdict in words.
#[derive(Debug, Clone, Copy)]
pub struct Text {
    /// Stable code.
    pub code: &'static str,
    /// How good it is.
    pub level: Level,
    /// What it means.
    pub means: &'static str,
    /// Why it usually happens.
    pub why: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

macro_rules! verdicts {
    ($( $(#[$doc:meta])* $name:ident = $code:literal, $level:ident: $means:literal, $why:literal, $remedy:literal; )*) => {
        /// A verdict.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Verdict { $( #[doc = $means] $name, )* }

        impl Verdict {
            /// All of them.
            pub const ALL: &'static [Self] = &[ $( Self::$name, )* ];

            /// Its words.
            #[must_use]
            pub const fn text(self) -> Text {
                match self {
                    $( Self::$name => Text { code: $code, level: Level::$level, means: $means, why: $why, remedy: $remedy }, )*
                }
            }
        }
    };
}

verdicts! {
    NameFound = "dns.found", Good: "the name is known", "", "";
    NameUnknown = "dns.unknown", Bad: "nobody knows this name",
        "a typing mistake, a name that only the inner or only the outer name servers have, or no name server can be reached",
        "ask the name server that phones use; publish the name there";
    Connected = "tcp.connected", Good: "a connection is accepted", "", "";
    ConnectionRefused = "tcp.refused", Bad: "the host answers, but nothing listens at this port",
        "the service is stopped, or listens at another port or address",
        "start it, or correct the port in the URL";
    ConnectionTimeout = "tcp.timeout", Bad: "nobody answers at this address and port",
        "a firewall drops the packets, the address is an old one, or the host is down",
        "allow the port in every firewall in the path; check where the name leads";
    Unreachable = "tcp.unreachable", Bad: "there is no way to this address",
        "no route, or a firewall rejects it", "check the network between here and there";
    TlsGood = "tls.good", Good: "TLS is spoken", "", "";
    TlsNotSpoken = "tls.not-spoken", Bad: "something else than TLS is spoken at this port",
        "plain HTTP at this port, or a balancer that takes TLS off for another port",
        "use http:// or the port of HTTPS, or configure TLS there";
    TlsVersion = "tls.version", Bad: "there is no version of TLS or cipher suite that both sides know",
        "the server knows TLS 1.0 and 1.1 or RSA key exchange only, or just one version was allowed with --tls",
        "turn on TLS 1.2 and 1.3 with ECDHE suites on the server";
    TlsOldOnly = "tls.12-only", Warning: "TLS 1.2 works, TLS 1.3 does not",
        "an older server, or it was turned off", "turn TLS 1.3 on where you can; nothing keeps phones out today";
    TlsNewOnly = "tls.13-only", Warning: "TLS 1.3 works, TLS 1.2 does not",
        "it was turned off", "older phones cannot connect; turn TLS 1.2 on if there are any";
    TlsFailed = "tls.failed", Bad: "the handshake fails for another reason",
        "see what was seen", "read the log of the server for this moment";
    TlsClosed = "tls.closed", Bad: "the connection is cut during the handshake",
        "a firewall that looks into TLS, a balancer without a back end, or a server that wants a name it knows (SNI)",
        "try from another network; check the name in the URL against the names the server publishes";
    TlsTimeout = "tls.timeout", Bad: "the connection is accepted, but the handshake gets no answer",
        "an overloaded server, or a firewall that lets only small packets through", "look at the load; check MTU and MSS in the path";
    ServerGood = "server-certificate.good", Good: "the server's certificate can be believed", "", "";
    ServerUntrusted = "server-certificate.untrusted", Bad: "the server's certificate comes from nobody that is trusted here",
        "an own authority whose root is not installed on this device, or a self-signed certificate",
        "install the root on the devices (lanyard ca export), or try with --ca FILE";
    ServerIncomplete = "server-certificate.incomplete", Bad: "the server sends its certificate without the one above it",
        "the intermediate certificate is missing in the server's configuration; browsers often find it themselves, phones do not",
        "send the whole chain except the root";
    ServerName = "server-certificate.name", Bad: "the server's certificate is for other names",
        "a certificate of another service, or the name was never put into the subject alternative names",
        "request a certificate with this name, or use one of the names that were seen";
    ServerExpired = "server-certificate.expired", Bad: "the server's certificate has ended", "nobody renewed it", "renew it, and let it renew itself from now on";
    ServerNotYet = "server-certificate.not-yet", Bad: "the server's certificate is not valid yet",
        "the clock here or there is wrong", "set the clocks";
    ServerPurpose = "server-certificate.purpose", Bad: "the server's certificate is not one for servers",
        "its extended key usage lacks serverAuth", "request one from a template for servers";
    ServerBad = "server-certificate.bad", Bad: "the server's certificate cannot be believed", "see what was seen", "look at the certificate";
    ServerIgnored = "server-certificate.ignored", Warning: "the server's certificate is not to be believed, and that was ignored as asked",
        "--insecure", "leave --insecure out to see what phones see";
    ServerSoon = "server-certificate.soon", Warning: "the server's certificate ends within two weeks", "nobody renewed it yet", "renew it";
    PlainHttp = "tls.none", Warning: "plain HTTP, without TLS", "the URL says http://", "never send passwords this way; publish over HTTPS";
    CertificateNotAsked = "client.not-asked", Good: "the server asks for no client certificate", "", "";
    CertificateNotAskedButWanted = "client.not-asked-wanted", Bad: "the server asks for no client certificate, though it should",
        "the name of the URL leads to another listener or virtual server (SNI), or something in front ends TLS",
        "check which listener answers for this name; a balancer must pass TLS through";
    CertificateAskedUnwanted = "client.asked-unwanted", Bad: "the server asks for a client certificate, though it should not",
        "certificates are accepted on the whole listener", "some apps break on the question alone: give this name a listener that does not ask";
    CertificateAsked = "client.asked", Good: "the server asks for a client certificate of certain issuers", "", "";
    CertificateAskedOurs = "client.asked-ours", Good: "the server asks for a client certificate, and names the issuer of ours", "", "";
    CertificateAskedAny = "client.asked-any", Good: "the server asks for a client certificate of any issuer", "", "";
    CertificateAskedOthers = "client.asked-others", Bad: "the server asks for a client certificate, but not from our issuer",
        "the issuer of this certificate is not in the server's list of authorities; many clients then send none",
        "add the issuer to the authorities that the server names";
    ClientCertificateRequired = "client.required", Bad: "the server ends TLS because no client certificate was shown (alert 116, or 40 in TLS 1.2)",
        "certificates are required for the whole listener", "show one; or let the listener accept clients without one, and refuse in HTTP with a reason";
    ClientCertificateExpired = "client.expired", Bad: "the server says that OUR certificate has ended (alert 45)",
        "the client certificate was not renewed, or the server's clock is wrong", "renew the client certificate; compare clocks";
    ClientCertificateRevoked = "client.revoked", Bad: "the server says that OUR certificate is revoked (alert 44)",
        "it was revoked, or the server cannot get a fresh revocation list", "request a new one; check the server's revocation list";
    ClientCertificateUnknownIssuer = "client.unknown-issuer", Bad: "the server does not know the issuer of OUR certificate (alert 48)",
        "the authority is missing in the server's list, or the intermediate was not sent with the certificate",
        "add the authority to the server's list; use a file that holds the chain";
    ClientCertificatePurpose = "client.purpose", Bad: "the server says that OUR certificate is not for this (alert 43)",
        "its extended key usage lacks clientAuth, or its kind of key is not accepted", "request one from a template for clients";
    ClientCertificateBad = "client.bad", Bad: "the server refuses OUR certificate (alert 42, 46 or 40)",
        "it cannot read or verify it", "read the log of the server for this moment";
    AccessDenied = "client.denied", Bad: "the server refuses us in the handshake (alert 49)", "a rule of the server", "read the log of the server";
    NameNotServed = "tls.name-not-served", Bad: "the server does not serve this name (alert 112)",
        "the name of the URL is not published there", "publish it, or use a name that is";
    ConnectionCut = "http.cut", Bad: "the connection is cut before an answer",
        "a time-out or a crash behind, or a TLS refusal without an alert", "read the log of the server for this moment";
    AnswerTimeout = "http.timeout", Bad: "there is no answer in time", "the back end hangs, or cannot be reached and the proxy waits", "look at the back end";
    NotHttp = "http.not-http", Bad: "the answer is not HTTP", "another service listens there", "check the port";
    EasAnswers = "eas.answers", Good: "ActiveSync answered: path, TLS and authentication are right", "", "";
    EasOtherAnswers = "eas.other-answers", Good: "an ActiveSync server other than Exchange answers GET like this: path and TLS are right", "", "";
    AppAnswers = "app.answers", Good: "the application answers", "", "";
    Redirected = "app.redirected", Warning: "the application sends us elsewhere", "a sign-in page, or another address", "probe the address in Location";
    NotEas = "eas.not", Bad: "a web page answers, not ActiveSync",
        "a sign-in form in front, or a catch-all site", "publish the path /Microsoft-Server-ActiveSync without a form in front";
    PasswordWanted = "auth.password-wanted", Bad: "a password is asked for, and none was sent",
        "as passwords work; or the certificate was not enough", "give --user; in mode certificate no rule may ask for a password";
    PasswordRefused = "auth.refused", Bad: "user name or password are refused, or a proxy in between wants its own",
        "a wrong or old password, a user name in another form (user, DOMAIN\\user, user@domain), a locked account", "compare realm and schemes with those of the back end; try the other forms of the name";
    BasicDisabled = "auth.no-basic", Bad: "passwords by Basic are not accepted: only other schemes are offered",
        "Basic is turned off behind, and whoever stands in front should bring a ticket (Negotiate)",
        "turn Basic on, or delegate by Kerberos in the gateway";
    TlsRequired = "refused.tls-required", Bad: "refused over plain HTTP", "the server wants TLS here (403.4)", "use https://";
    CertificateMissing = "refused.no-certificate", Bad: "refused: a client certificate is required (403.7)",
        "none was shown, or it was lost before the server saw it", "show one; look at what was asked for in TLS";
    CertificateRefused = "refused.certificate", Bad: "refused: the server does not accept the certificate (403.13, .16 or .17), or the user or device",
        "it is revoked, from an unknown issuer, or has ended; or its account may not use ActiveSync; or the device is blocked",
        "lanyard request show and the gateway's log name the reason; try the same user with a password";
    CertificateRevoked = "refused.revoked", Bad: "refused: the certificate is revoked, or whether it is cannot be found out (403.13)",
        "somebody reported it lost, or the revocation list or the server that tells of it cannot be reached", "request a new one; look at the age of what the proxy knows";
    CertificateUntrusted = "refused.untrusted", Bad: "refused: the certificate's issuer or purpose is not trusted for this (403.16)",
        "an authority that is not in the rule's list, a missing intermediate, or a certificate without clientAuth", "add the authority to the rule; send the whole chain; use a certificate for clients";
    CertificateEnded = "refused.ended", Bad: "refused: the certificate has ended or is not valid yet (403.17)",
        "it was not renewed, or a clock is wrong", "renew it; compare the clocks";
    CertificateUnmapped = "refused.unmapped", Bad: "refused: the certificate leads to no account, to several, or to one that may not (403.12)",
        "no mapping of the account, a disabled, locked or expired account, or another account than the password's", "lanyard gateway explain says which; correct the account or its mapping";
    UserRefused = "refused.user", Bad: "refused: this user may not use the service, or this device is blocked",
        "ActiveSync is off for the mailbox, or a device rule blocks it", "turn it on for the user; allow the device";
    NginxNoCertificate = "refused.nginx-no-certificate", Bad: "an nginx in front wants a client certificate", "it answers 400 for what others answer 403", "show one";
    NginxBadCertificate = "refused.nginx-certificate", Bad: "an nginx in front refuses the client certificate", "unknown issuer, ended, or revoked", "compare its issuer with ssl_client_certificate there";
    BadRequest = "http.bad-request", Bad: "the server finds the request malformed", "something in between changes requests, or plain HTTP was sent to a TLS port", "read the body of the answer";
    PathUnknown = "http.path", Bad: "nothing is published at this path", "a typing mistake, or ActiveSync is not installed or not published", "check the path; ActiveSync is at /Microsoft-Server-ActiveSync";
    MethodRefused = "http.method", Bad: "something in between refuses the method", "a filter that knows GET and POST only", "let OPTIONS and POST through";
    Misdirected = "http.misdirected", Bad: "the name in TLS and the name in HTTP differ", "a connection used for two names, or a proxy that changes one of them", "use one name in both";
    TooLarge = "http.too-large", Bad: "the request is too large for somebody in the path", "often IIS with client certificates: uploadReadAheadSize", "raise the limits in the path to what mail may be";
    ServerError = "http.server-error", Bad: "the server failed", "see its log", "read the log of the server for this moment";
    BadGateway = "http.bad-gateway", Bad: "the proxy does not reach the server behind it", "it is down, or its certificate is not believed", "look from the proxy to the back end";
    Unavailable = "http.unavailable", Bad: "overloaded, or something behind is out of order", "the back end, the directory or the Kerberos server does not answer", "wait as Retry-After says; read the log of the proxy";
    GatewayTimeout = "http.gateway-timeout", Bad: "the proxy waited for the server behind it in vain", "a time-out shorter than the answer takes", "raise the read time-out in the proxy; ActiveSync holds requests for up to 59 minutes";
    MailboxElsewhere = "eas.elsewhere", Warning: "the mailbox is on another server", "it was moved; X-MS-Location says where", "probe that address; let devices follow, or rewrite the address in the proxy";
    AccountBlocked = "eas.account-blocked", Bad: "the account is blocked (456)", "by the administrator", "unblock it";
    PasswordExpired = "eas.password-expired", Bad: "the password has ended (457)", "its time is over", "set a new one";
    StorageFull = "eas.storage-full", Bad: "the mailbox is full", "", "make room";
    VersionRefused = "http.version", Good: "ActiveSync answers 505 to what it does not serve: path and TLS are right", "", "";
    OtherStatus = "http.other", Warning: "an answer that says nothing certain", "", "look at the status line and the headers";
    Versions = "options.versions", Good: "ActiveSync tells its versions and commands", "", "";
    NoVersions = "options.no-versions", Bad: "OPTIONS is answered, but not by ActiveSync",
        "something in between answers OPTIONS itself, as for CORS, or ActiveSync is turned off", "pass OPTIONS through to the back end";
    FoldersListed = "eas.folders", Good: "the mailbox answers: its folders are listed", "", "";
    ProvisionFirst = "eas.provision-first", Warning: "the server wants the device to accept its policies first",
        "policies are required for this mailbox", "phones do that by themselves; nothing is acknowledged here";
    EasUserDisabled = "eas.user-disabled", Bad: "the account may not synchronise (126 or 131)", "ActiveSync is off for it, or it is disabled", "turn it on";
    EasDeviceBlocked = "eas.device-blocked", Bad: "the device is blocked or in quarantine for this user (129)", "a device rule", "allow the device";
    EasDenied = "eas.denied", Bad: "access is denied (130)", "rights on the mailbox", "check the rights";
    EasTooManyDevices = "eas.too-many-devices", Bad: "the user has too many devices (177)", "old devices were never removed", "remove those not used any more";
    EasSyncKey = "eas.sync-key", Bad: "the server refuses to begin a synchronisation", "its state of this device is damaged", "remove the device on the server; it begins anew";
    EasFault = "eas.fault", Bad: "ActiveSync answers with a status that says it failed", "see the status", "read the log of the server";
    EasUnreadable = "eas.unreadable", Bad: "what came back is no WBXML", "something in between changes or replaces bodies", "turn off compression and rewriting in the path";
    PoliciesTold = "provision.policies", Good: "the server tells its policies; they were not acknowledged", "", "";
    NoPolicies = "provision.none", Good: "the server wants no policies", "", "";
    WipeTold = "provision.wipe", Bad: "the server orders this device to be wiped; nothing was wiped", "somebody ordered it for this DeviceId", "withdraw the order, or use another --device-id";
    PingHeld = "ping.held", Good: "a request was held as long as asked for: nothing in the path cuts it", "", "";
    PingChanges = "ping.changes", Good: "the request was held until something changed in the mailbox", "", "";
    PingCut = "ping.cut", Bad: "a held request is cut: push cannot work for longer than this",
        "an idle time-out in a proxy, balancer or firewall in the path, often 60 seconds", "raise it to at least 30 minutes, better 3600 seconds, for this path";
    PingHeartbeat = "ping.heartbeat", Warning: "the server wants another time for held requests", "its own limits; it says which", "use the number it gives";
    AutodiscoverFound = "autodiscover.found", Good: "Autodiscover names the address of ActiveSync", "", "";
    AutodiscoverOther = "autodiscover.other", Warning: "Autodiscover names another address than the one probed", "an internal address, or another site", "correct the external address on the server, or rewrite it in the proxy";
    AutodiscoverRedirect = "autodiscover.redirect", Warning: "Autodiscover sends to another mail address", "the mailbox is in another domain", "probe with that address";
    AutodiscoverError = "autodiscover.error", Bad: "Autodiscover answers with an error", "unknown address, or the directory does not answer", "see its message";
    AutodiscoverMissing = "autodiscover.missing", Warning: "Autodiscover is not published here", "", "publish /autodiscover/autodiscover.xml in the same modes, or tell people the address";
}

impl Verdict {
    /// Exit code of the program when a verdict with this code keeps people out at this step.
    #[must_use]
    pub fn exit_code(step: &str, code: &str) -> u8 {
        match code.split('.').next().unwrap_or_default() {
            "dns" => return 10,
            "tcp" => return 11,
            "tls" | "server-certificate" => return 12,
            "client" => return 13,
            _ => {}
        }
        match step {
            "get" => 14,
            "options" => 15,
            "folder-sync" | "provision" => 16,
            "ping" => 17,
            "autodiscover" => 18,
            _ => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_verdict_has_a_code_of_its_own_and_says_what_to_do_when_it_is_not_good() {
        let codes: BTreeSet<&str> = Verdict::ALL.iter().map(|verdict| verdict.text().code).collect();
        assert_eq!(codes.len(), Verdict::ALL.len());
        for verdict in Verdict::ALL {
            let text = verdict.text();
            assert!(!text.means.is_empty(), "{verdict:?}");
            assert!(text.level == Level::Good || !text.remedy.is_empty(), "{verdict:?}");
        }
    }
}
