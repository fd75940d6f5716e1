//! Which addresses outgoing webhooks may call: the public internet, and what the operator allows by name.
//!
//! Whoever may write a webhook's address must not be able to reach this machine, its neighbours or a cloud's metadata
//! through us. Judged is the address that is connected to, not the name it came from.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use url::{Host, Url};

/// A network, such as `10.1.0.0/16`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

/// A text that is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a network")]
pub struct NoNetwork;

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| NoNetwork)?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(bits), str::parse).map_err(|_| NoNetwork)?;
        if prefix > bits { Err(NoNetwork) } else { Ok(Self { address, prefix }) }
    }
}

impl Network {
    const fn v4(address: [u8; 4], prefix: u32) -> Self {
        Self { address: IpAddr::V4(Ipv4Addr::new(address[0], address[1], address[2], address[3])), prefix }
    }

    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.address, ip) {
            (IpAddr::V4(network), IpAddr::V4(ip)) => {
                let mask = u32::MAX.checked_shl(32 - self.prefix).unwrap_or(0);
                network.to_bits() & mask == ip.to_bits() & mask
            }
            (IpAddr::V6(network), IpAddr::V6(ip)) => {
                let mask = u128::MAX.checked_shl(128 - self.prefix).unwrap_or(0);
                network.to_bits() & mask == ip.to_bits() & mask
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// What the registry of special addresses keeps from the public internet (IANA, RFC 6890 and its successors).
const SPECIAL_V4: [Network; 15] = [
    Network::v4([0, 0, 0, 0], 8),
    Network::v4([10, 0, 0, 0], 8),
    Network::v4([100, 64, 0, 0], 10),
    Network::v4([127, 0, 0, 0], 8),
    Network::v4([169, 254, 0, 0], 16),
    Network::v4([172, 16, 0, 0], 12),
    Network::v4([192, 0, 0, 0], 24),
    Network::v4([192, 0, 2, 0], 24),
    Network::v4([192, 88, 99, 0], 24),
    Network::v4([192, 168, 0, 0], 16),
    Network::v4([198, 18, 0, 0], 15),
    Network::v4([198, 51, 100, 0], 24),
    Network::v4([203, 0, 113, 0], 24),
    Network::v4([224, 0, 0, 0], 4),
    Network::v4([240, 0, 0, 0], 4),
];

/// Whether an address is on the public internet. Addresses that carry another one inside (NAT64, 6to4, Teredo) are not:
/// where they lead is decided elsewhere.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(_) => !SPECIAL_V4.iter().any(|network| network.contains(ip)),
        IpAddr::V6(v6) => {
            let [first, second, ..] = v6.segments();
            // Only 2000::/3 is given out; of it, 2001::/23 and 2002::/16 are for tunnels, 2001:db8::/32 and 3fff::/20 for books.
            let global = first & 0xe000 == 0x2000;
            let special = (first == 0x2001 && (second < 0x0200 || second == 0x0db8))
                || first == 0x2002
                || (first == 0x3fff && second < 0x1000);
            global && !special
        }
    }
}

/// Why an address is not called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Neither http nor https.
    Scheme,
    /// Unencrypted, to somewhere that the operator has not allowed.
    Unencrypted,
    /// It carries a user or a password.
    Credentials,
    /// It leads into a network that is not public.
    Inside,
}

impl Refused {
    pub fn way_out(self) -> &'static str {
        match self {
            Self::Scheme | Self::Unencrypted => {
                "Use https://. Plain http is for addresses that [webhooks] allow names, such as \"127.0.0.1\"."
            }
            Self::Credentials => "Leave user and password out: every call is signed.",
            Self::Inside => "If it is meant, name it under [webhooks]: allow = [\"10.1.2.3\"].",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "A webhook is called by https only.",
            Self::Unencrypted => "This webhook would be called unencrypted.",
            Self::Credentials => "A webhook's address must not carry a password.",
            Self::Inside => "This webhook leads into a network that is not public.",
        })
    }
}

/// Whether an address may be called, as far as it says itself: names are looked up later.
pub fn judge(url: &Url, allow: &[Network]) -> Result<(), Refused> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refused::Credentials);
    }
    let literal = literal(url);
    let named = literal.is_some_and(|ip| is_allowed(ip, allow));
    match url.scheme() {
        "https" => {}
        "http" if named => {}
        "http" => return Err(Refused::Unencrypted),
        _ => return Err(Refused::Scheme),
    }
    literal.map_or(Ok(()), |ip| permit(ip, allow))
}

/// Whether this address may be connected to.
pub fn permit(ip: IpAddr, allow: &[Network]) -> Result<(), Refused> {
    if is_allowed(ip, allow) || is_public(ip.to_canonical()) { Ok(()) } else { Err(Refused::Inside) }
}

fn is_allowed(ip: IpAddr, allow: &[Network]) -> bool {
    allow.iter().any(|network| network.contains(ip.to_canonical()))
}

/// The address that a host is, in whichever way it is written: `2130706433` is 127.0.0.1.
pub(super) fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(ip) => Some(IpAddr::V4(ip)),
        Host::Ipv6(ip) => Some(IpAddr::V6(ip)),
        Host::Domain(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn only_the_public_internet_may_be_called() {
        for inside in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "febf::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::7f00:1",
            "64:ff9b::7f00:1",
            "64:ff9b::808:808",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "100::1",
        ] {
            assert_eq!(permit(ip(inside), &[]), Err(Refused::Inside), "{inside}");
        }
        for outside in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.1",
            "193.0.0.1",
            "2606:4700::1111",
            "2a00:1450::1",
            "2001:4860:4860::8888",
            "::ffff:8.8.8.8",
        ] {
            assert_eq!(permit(ip(outside), &[]), Ok(()), "{outside}");
        }
    }

    #[test]
    fn what_the_operator_names_may_be_called_and_its_neighbours_may_not() {
        let allow = ["10.1.0.0/16".parse().expect("a network"), "::1".parse().expect("an address")];
        assert_eq!(permit(ip("10.1.2.3"), &allow), Ok(()));
        assert_eq!(permit(ip("::ffff:10.1.2.3"), &allow), Ok(()));
        assert_eq!(permit(ip("::1"), &allow), Ok(()));
        assert_eq!(permit(ip("10.2.0.1"), &allow), Err(Refused::Inside));
        assert_eq!(permit(ip("127.0.0.1"), &allow), Err(Refused::Inside));
        for wrong in ["10.1.0.0/33", "::/129", "10.1", "x", "10.0.0.0/", "/8"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
        let all: Network = "0.0.0.0/0".parse().expect("a network");
        assert!(all.contains(ip("203.0.113.9")) && !all.contains(ip("::1")));
    }

    #[test]
    fn hosts_in_disguise_are_judged_by_what_they_mean() {
        let of = |text: &str| judge(&Url::parse(text).expect("a URL"), &[]);
        for inside in [
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://127.1/",
            "https://[::1]/",
            "https://[::ffff:7f00:1]/",
            "https://[::ffff:169.254.169.254]/",
            "https://0/",
            "https://①②⑦.0.0.1/",
        ] {
            assert_eq!(of(inside), Err(Refused::Inside), "{inside}");
        }
        assert_eq!(of("https://hooks.example.com/x"), Ok(()));
        assert_eq!(of("http://hooks.example.com/x"), Err(Refused::Unencrypted));
        assert_eq!(of("http://127.0.0.1/x"), Err(Refused::Unencrypted));
        assert_eq!(of("ftp://hooks.example.com/x"), Err(Refused::Scheme));
        assert_eq!(of("https://user:secret@hooks.example.com/x"), Err(Refused::Credentials));
        let here = ["127.0.0.1".parse().expect("an address")];
        assert_eq!(judge(&Url::parse("http://127.0.0.1:8000/x").expect("a URL"), &here), Ok(()));
    }
}
