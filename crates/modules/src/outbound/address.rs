//! Which addresses may be connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lanyard_model::network::Network;

/// Whether a connection to this address is allowed: it is public, or one of the networks that the administrator listed holds it.
/// With `listed_only` it must be listed.
#[must_use]
pub fn allowed(address: IpAddr, listed: &[Network], listed_only: bool) -> bool {
    let address = address.to_canonical();
    listed.iter().any(|network| network.contains(address)) || (!listed_only && is_public(address))
}

/// Whether the address belongs to somebody on the Internet at large. What is reserved for whatever purpose is not public
/// (IANA special-purpose address registries); among that are the metadata services of clouds.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let benchmark = a == 198 && (18..20).contains(&b);
    let protocol = (a, b, c) == (192, 0, 0);
    let relay = (a, b, c) == (192, 88, 99);
    !(a == 0
        || a >= 224
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || shared
        || benchmark
        || protocol
        || relay)
}

/// Global unicast only, and of that neither documentation nor what hides an IPv4 address inside: 6to4 and Teredo.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let global = (0x2000..0x4000).contains(&first);
    let hides_another = first == 0x2002 || (first == 0x2001 && second == 0);
    let documentation = (first == 0x2001 && second == 0x0db8) || first == 0x3fff;
    let protocol = first == 0x2001 && second < 0x0200;
    global && !hides_another && !documentation && !protocol
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_addresses_are_refused_unless_listed() {
        let reserved = [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.100.100.200",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "198.18.0.1",
            "192.0.0.170",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::1",
            "2001::1",
            "2001:db8::1",
            "::10.0.0.1",
        ];
        let everything: Vec<Network> = ["0.0.0.0/0", "::/0"].iter().map(|n| n.parse().unwrap()).collect();
        for text in reserved {
            let address = text.parse().unwrap();
            assert!(!allowed(address, &[], false), "{text}");
            assert!(allowed(address, &everything, true), "{text}");
        }
    }

    #[test]
    fn public_addresses_are_allowed_unless_only_listed_ones_are() {
        for text in ["8.8.8.8", "20.190.160.1", "2606:4700::1", "2a01:111::1"] {
            let address = text.parse().unwrap();
            assert!(allowed(address, &[], false), "{text}");
            assert!(!allowed(address, &[], true), "{text}");
        }
    }
}
