//! `network` of a backend.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::field::Field;
use crate::model::Network;
use crate::reading::Reading;

/// Reads the map.
pub(crate) fn read(field: Field<'_>, cx: &mut Reading<'_>) -> Network {
    let mut network = Network::default();
    let Some(mut fields) = field.fields("`network`", &mut cx.report) else { return network };
    network.private = fields.get("private").and_then(|field| field.bool(&mut cx.report));
    if let Some(allow) = fields.get("allow") {
        for item in allow.items(&mut cx.report) {
            network.allow.extend(net(item, cx));
        }
    }
    fields.finish(&mut cx.report);
    network
}

/// A network, or one address.
fn net(item: Field<'_>, cx: &mut Reading<'_>) -> Option<IpNet> {
    let text = item.text(&mut cx.report)?;
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(IpNet::from(address));
    }
    let Ok(net) = text.parse::<IpNet>() else {
        cx.report
            .error(item.at(), format!("`{text}` is not a network"))
            .hint("such as 10.1.0.0/16 or fd00::/8");
        return None;
    };
    if net.trunc() != net {
        cx.report
            .error(item.at(), format!("`{text}` is an address within a network"))
            .hint(format!("the network is `{}`, the address alone `{}`", net.trunc(), net.addr()));
        return None;
    }
    Some(net)
}
