//! Where a Gateway's sockets and its admin server are. Pure.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use clap::ValueEnum;
use mcwan_k8s::object::{Key, Object};
use mcwan_k8s::snapshot::ClusterSnapshot;
use mcwan_k8s::translate::Scope;

/// Port of the admin server unless it is told otherwise.
pub const ADMIN_PORT: u16 = 15090;

/// Which addresses listeners are bound on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Bind {
    /// The Gateway's spec.addresses when it has some, else all.
    #[default]
    #[value(skip)]
    AsWritten,
    /// All addresses, whatever the Gateway's spec.addresses say: they belong to a load balancer, say.
    Any,
    /// The Gateway's spec.addresses only; without any, the loopback address.
    Addresses,
}

/// Where a Gateway is at home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Home {
    /// Its object is not known.
    #[default]
    Unknown,
    /// On this address.
    At(IpAddr),
}

impl Home {
    /// What is known of it before its object is.
    #[must_use]
    pub const fn at_first(bind: Bind) -> Self {
        match bind {
            Bind::Any => Self::At(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            Bind::AsWritten | Bind::Addresses => Self::Unknown,
        }
    }

    /// The default address of the admin server. Two Gateways on one machine need one each, so it is that of the Gateway;
    /// as long as the Gateway is not known there is none.
    #[must_use]
    pub const fn admin(self) -> Option<SocketAddr> {
        match self {
            Self::Unknown => None,
            Self::At(address) => Some(SocketAddr::new(address, ADMIN_PORT)),
        }
    }
}

/// What a process translates that serves one Gateway.
#[must_use]
pub fn scope(gateway: &Key, bind: Bind) -> Scope {
    Scope {
        gateways: Some([gateway.clone()].into()),
        default_address: Some(match bind {
            Bind::AsWritten | Bind::Any => Ipv4Addr::UNSPECIFIED.into(),
            Bind::Addresses => Ipv4Addr::LOCALHOST.into(),
        }),
        // The controller sees the same Gateway under the same rules.
        ..Scope::apart()
    }
}

/// The snapshot as it is to be translated: with [`Bind::Any`], a Gateway without addresses of its own.
#[must_use]
pub fn bound(snapshot: Arc<ClusterSnapshot>, key: &Key, bind: Bind) -> Arc<ClusterSnapshot> {
    let gateway = snapshot.gateways.get(key);
    let Some(gateway) = gateway.filter(|g| bind == Bind::Any && g.spec.addresses.is_some()) else {
        return snapshot;
    };
    let mut gateway = gateway.as_ref().clone();
    gateway.spec.addresses = None;
    let mut snapshot = Arc::unwrap_or_clone(snapshot);
    snapshot.insert(Object::Gateway(Arc::new(gateway)));
    Arc::new(snapshot)
}

/// Where the Gateway is: its first address that is one; all addresses when it names none.
#[must_use]
pub fn home(snapshot: &ClusterSnapshot, key: &Key, bind: Bind) -> Home {
    let Some(gateway) = snapshot.gateways.get(key) else {
        return Home::Unknown;
    };
    if bind == Bind::Any {
        return Home::At(Ipv4Addr::UNSPECIFIED.into());
    }
    let addresses = gateway.spec.addresses.iter().flatten();
    let mut usable = addresses.filter_map(|a| a.value.as_deref()?.parse().ok());
    Home::At(usable.next().unwrap_or(Ipv4Addr::UNSPECIFIED.into()))
}
