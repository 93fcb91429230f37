//! Proofs of every kind, read back.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use vmcp_config::{ClientAuth, JwtAlgorithm, OAuthClient};

use super::Proof;
use crate::Form;

fn client(id: &str, auth: ClientAuth) -> OAuthClient {
    OAuthClient { id: id.to_owned(), auth }
}

/// The form and the header of a request.
fn proven(auth: ClientAuth) -> (String, Option<String>) {
    let proof = Proof::new(&client("i d:\u{e9}", auth), "https://idp.example/token").unwrap();
    let mut form = Form::default();
    let header = proof.add_to(&mut form).unwrap();
    let form = String::from_utf8(form.encode().to_vec()).unwrap();
    (
        form,
        header.map(|header| {
            assert!(header.is_sensitive());
            header.to_str().unwrap().to_owned()
        }),
    )
}

fn refused(auth: ClientAuth) -> String {
    Proof::new(&client("c", auth), "https://idp.example/token").map(|_| ()).unwrap_err()
}

fn key(pem: &str, algorithm: JwtAlgorithm) -> ClientAuth {
    ClientAuth::PrivateKeyJwt {
        key_pem: pem.to_owned().into(),
        algorithm,
        key_id: None,
        audience: None,
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

fn p256() -> (EcdsaKeyPair, String) {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let der = pair.to_pkcs8v1().unwrap();
    let pem = pem("PRIVATE KEY", der.as_ref());
    (pair, pem)
}

#[test]
fn encodes_id_and_secret_before_they_become_basic() {
    let (form, header) = proven(ClientAuth::Basic("s:e%c+r t\u{20ac}".to_owned().into()));
    assert_eq!(form, "client_id=i+d%3A%C3%A9");
    let encoded = header.unwrap().strip_prefix("Basic ").unwrap().to_owned();
    let pair = String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap();
    assert_eq!(pair, "i+d%3A%C3%A9:s%3Ae%25c%2Br+t%E2%82%AC");
}

#[test]
fn says_only_what_its_method_says() {
    assert_eq!(proven(ClientAuth::None), ("client_id=i+d%3A%C3%A9".to_owned(), None));
    let (form, header) = proven(ClientAuth::Post("a&b".to_owned().into()));
    assert_eq!(form, "client_id=i+d%3A%C3%A9&client_secret=a%26b");
    assert_eq!(header, None);
}

#[test]
fn signs_what_only_it_can_sign_and_never_the_same_twice() {
    let (pair, pem) = p256();
    let auth = ClientAuth::PrivateKeyJwt {
        key_pem: pem.into(),
        algorithm: JwtAlgorithm::Es256,
        key_id: Some("k\"1".to_owned()),
        audience: None,
    };
    let mut named = auth.clone();
    if let ClientAuth::PrivateKeyJwt { audience, .. } = &mut named {
        *audience = Some("urn:idp".to_owned());
    }
    let proof = Proof::new(&client("c", auth), "https://idp.example/token").unwrap();
    let sign = |proof: &Proof| {
        let mut form = Form::default();
        assert!(proof.add_to(&mut form).unwrap().is_none());
        form.secrets().next().map(str::to_owned).unwrap()
    };
    let jwt = sign(&proof);
    let [header, claims, signature]: [&str; 3] =
        jwt.split('.').collect::<Vec<_>>().try_into().unwrap();
    let json = |part| -> serde_json::Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    assert_eq!(json(header), serde_json::json!({"alg": "ES256", "typ": "JWT", "kid": "k\"1"}));
    let claims = json(claims);
    assert_eq!((&claims["iss"], &claims["sub"]), (&"c".into(), &"c".into()));
    assert_eq!(claims["aud"], "https://idp.example/token");
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 60);
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref());
    let signed = jwt.rsplit_once('.').unwrap().0;
    public.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();

    let again = sign(&proof);
    assert_ne!(jwt.split('.').nth(1), again.split('.').nth(1));
    let moved = sign(&proof.meant_for("https://idp.example"));
    assert_eq!(json(moved.split('.').nth(1).unwrap())["aud"], "https://idp.example");
    // What the settings say counts, wherever the assertion goes.
    let named = Proof::new(&client("c", named), "https://idp.example/token").unwrap();
    let named = sign(&named.meant_for("https://idp.example"));
    assert_eq!(json(named.split('.').nth(1).unwrap())["aud"], "urn:idp");
}

#[test]
fn reads_keys_in_their_own_older_formats() {
    let (pair, _) = p256();
    let private = aws_lc_rs::encoding::AsBigEndian::as_be_bytes(&pair.private_key()).unwrap();
    let private: &aws_lc_rs::encoding::EcPrivateKeyBin<'_> = &private;
    // RFC 5915: version, private key, curve, and no public key.
    let mut der = vec![0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20];
    der.extend_from_slice(private.as_ref());
    der.extend_from_slice(&[
        0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07,
    ]);
    let sec1 = pem("EC PRIVATE KEY", &der);
    Proof::new(&client("c", key(&sec1, JwtAlgorithm::Es256)), "a").map(|_| ()).unwrap();
}

#[test]
fn refuses_clients_that_cannot_prove_anything() {
    assert!(refused(ClientAuth::Basic(String::new().into())).contains("is empty"));
    assert!(refused(ClientAuth::Post(String::new().into())).contains("is empty"));
    assert!(Proof::new(&client("", ClientAuth::None), "a").is_err());
    let (_, pem) = p256();
    assert!(refused(key("s3cr3t", JwtAlgorithm::Es256)).ends_with("is no private key in PEM"));
    assert!(refused(key(&pem, JwtAlgorithm::Es384)).ends_with("is not one for ES384"));
    assert!(refused(key(&pem, JwtAlgorithm::Rs256)).ends_with("is not one for RS256"));
    assert!(refused(key(&pem, JwtAlgorithm::Ps256)).ends_with("is not one for PS256"));
    assert!(refused(key(&pem, JwtAlgorithm::EdDsa)).ends_with("is not one for EdDSA"));
    for text in ["s3cr3t", &pem.replace('A', "B")] {
        let error = refused(key(text, JwtAlgorithm::Es256));
        assert!(error.starts_with("the key of client \"c\" is no"), "{error}");
        assert!(!error.contains("s3cr3t"), "{error}");
    }
}
