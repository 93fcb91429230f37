//! `listen.tls`.

use std::path::Path;

use vmcp_config::{
    ClientCerts, Config, Diagnostics, Format, Source, Surroundings, TlsVersion, load,
};

fn read(tls: &str) -> Result<Config, Diagnostics> {
    let text =
        format!("backends: [{{name: b, url: http://127.0.0.1:1/mcp}}]\nlisten: {{tls: {tls}}}\n");
    let source = Source { name: "c.yaml".into(), text, format: Format::Auto };
    let env = |name: &str| (name == "DIR").then(|| "/certs".to_owned());
    let file = |_: &Path| -> std::io::Result<String> { panic!("the files are not looked at") };
    load(&[source], Surroundings { env: &env, file: &file })
}

#[test]
fn a_pair_is_enough() {
    let config = read("{cert: '${DIR}/cert.pem', key: /certs/key.pem}").unwrap();
    let addr = config.listen.addrs[0];
    assert_eq!(config.listen.url(addr), "https://127.0.0.1:4483/mcp");
    let tls = config.listen.tls.unwrap();
    assert_eq!(tls.cert, Path::new("/certs/cert.pem"));
    assert_eq!(tls.key, Path::new("/certs/key.pem"));
    assert_eq!((tls.client_auth, tls.min_version), (ClientCerts::Off, TlsVersion::V1_2));
}

#[test]
fn authorities_of_clients_make_certificates_a_must_unless_told_otherwise() {
    for (rest, wanted) in [
        ("", ClientCerts::Required),
        (", clientAuth: required", ClientCerts::Required),
        (", clientAuth: optional", ClientCerts::Optional),
        (", clientAuth: off", ClientCerts::Off),
    ] {
        let text = format!("{{cert: /c, key: /k, clientCa: /ca, minVersion: 1.3{rest}}}");
        let config = read(&text).unwrap();
        assert_eq!(config.warnings.len(), usize::from(wanted == ClientCerts::Off), "{rest}");
        let tls = config.listen.tls.unwrap();
        assert_eq!((tls.client_auth, tls.min_version), (wanted, TlsVersion::V1_3), "{rest}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (text, because) in [
        ("{cert: /c}", "`key`"),
        ("{key: /k}", "`cert`"),
        ("{cert: c.pem, key: /k}", "`cert` must be an absolute path"),
        ("{cert: /c, key: /k, clientAuth: required}", "`clientAuth` needs `clientCa`"),
        ("{cert: /c, key: /k, clientCa: /a, clientAuth: maybe}", "`clientAuth` cannot be `maybe`"),
        ("{cert: /c, key: /k, minVersion: 1.1}", "`minVersion` cannot be `1.1`"),
        ("{cert: /c, key: /k, ciphers: all}", "`ciphers`"),
        ("yes please", "`tls`"),
    ] {
        let findings = read(text).unwrap_err().to_string();
        assert!(findings.contains(because), "{text}: {findings}");
    }
}
