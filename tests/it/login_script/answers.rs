//! The questions to the two classes, and what their answers mean.

use super::*;

/// As in the handbook that users of this format follow.
fn handbook(backend: &str) -> String {
    format!(
        r#"
        class UserLoginProvider {{
           isLoggedIn = false; profile = {{}}; role = null;
           constructor(credentials) {{
              fetch(`{backend}/validate-login`, {{
                    method: "post",
                    body: {{ username: credentials.username, passwordHash: sha256(credentials.password) }}
                }}).then((result) => {{
                    var subject = {{ subject: "u-1" }};
                    this.profile = JSON.parse(result.body);
                    this.role = "user";
                    this.isLoggedIn = true;
                    commit(result.code, subject);
                }}).catch(() => {{ commit(false) }});
           }}
           get canLogin() {{ return this.isLoggedIn; }}
           get userProfile() {{ return this.profile }}
           get role() {{ return this._role }}
        }}

        class UserValidationProvider {{
           isValid = false;
           constructor(args) {{ this.isValid = args.username === "ada" && args.password === undefined; commit(true); }}
        }}"#
    )
}

#[tokio::test]
async fn the_example_of_the_handbook_logs_in() {
    let backend = backend::start().await;
    assert_eq!(
        identity(&handbook(&backend)).await,
        Identity {
            subject: "u-1".to_owned(),
            username: "ada".to_owned(),
            role: "user".to_owned(),
            scopes: Vec::new(),
            profile: json!({"name": "Ada", "password_length": PASSWORD.len()}).as_object().cloned().unwrap(),
            listed: None,
        }
    );
}

#[tokio::test]
async fn the_example_of_the_handbook_refuses_a_wrong_password() {
    let backend = backend::start().await;
    let pool = ScriptPool::new(patient());
    let wrong = Credentials { password: Zeroizing::new("wrong".to_owned()), ..credentials() };
    assert_eq!(pool.login(&script(&handbook(&backend)), wrong).await, Ok(None));
}

#[tokio::test]
async fn the_validation_class_decides_who_may_stay() {
    let pool = ScriptPool::new(patient());
    let source = handbook("http://127.0.0.1:1");
    assert_eq!(pool.validate(&script(&source), "ada").await, Ok(Some(Update::default())));
    assert_eq!(pool.validate(&script(&source), "bob").await, Ok(None));
    let missing = ScriptError::MissingClass("UserValidationProvider".to_owned());
    assert_eq!(pool.validate(&script(&provider("commit(true)")), "ada").await, Err(missing));
    let throws = "class UserValidationProvider { constructor() { throw new Error('down') } }";
    assert_eq!(
        pool.validate(&script(throws), "ada").await,
        Err(ScriptError::Exception("Error: down (line 1)".to_owned()))
    );
}

#[tokio::test]
async fn the_validation_class_says_what_is_new_about_a_person_and_a_no_must_be_said() {
    let pool = ScriptPool::new(patient());
    let asked = async |members: &str| {
        let source = format!("class UserValidationProvider {{ constructor() {{ commit(true) }} {members} }}");
        pool.validate(&script(&source), "ada").await
    };
    let told =
        asked("isValid = true; get role() { return 'user' } scopes = ['staff']; userProfile = { name: 'Ada' }").await;
    let profile = json!({"name": "Ada"}).as_object().cloned();
    assert_eq!(
        told,
        Ok(Some(Update { role: Some("user".to_owned()), scopes: Some(vec!["staff".to_owned()]), profile }))
    );
    let emptied = Update { role: Some("default".to_owned()), scopes: Some(Vec::new()), profile: None };
    assert_eq!(asked("isValid = true; role = null; scopes = null").await, Ok(Some(emptied)));
    for unsaid in ["", "isValid = 'false';", "isValid = 0;", "isValid = Promise.resolve(false);"] {
        let answer = asked(unsaid).await;
        assert_eq!(answer, Err(ScriptError::BadAnswer("isValid is neither true nor false".to_owned())), "{unsaid}");
    }
}

#[tokio::test]
async fn a_missing_class_is_named() {
    assert_eq!(error_of("class Other {}").await, ScriptError::MissingClass("UserLoginProvider".to_owned()));
    assert_eq!(error_of("var UserLoginProvider = 3;").await, ScriptError::MissingClass("UserLoginProvider".to_owned()));
    assert_eq!(error_of("").await, ScriptError::MissingClass("UserLoginProvider".to_owned()));
}

#[tokio::test]
async fn the_constructor_learns_name_password_and_grant_type() {
    let told = identity(&provider("this.userProfile = { ...credentials }; commit(true);")).await.profile;
    assert_eq!(
        Value::Object(told),
        json!({"username": "ada", "password": PASSWORD, "grant_type": "authorization_code"})
    );
}

#[tokio::test]
async fn only_can_login_decides_and_only_true_is_a_yes() {
    assert_eq!(login("class UserLoginProvider { canLogin = false; constructor() { commit(true) } }").await, Ok(None));
    assert_eq!(login("class UserLoginProvider { constructor() { commit(true) } }").await, Ok(None));
    for nearly in ["1", "'true'", "{}", "Promise.resolve(true)", "new Boolean(true)"] {
        let source = format!("class UserLoginProvider {{ canLogin = {nearly}; constructor() {{ commit(true) }} }}");
        assert_eq!(login(&source).await, Ok(None), "{nearly}");
    }
    assert_eq!(identity(&provider("commit(false)")).await.username, "ada");
    assert_eq!(identity(&provider("commit()")).await.username, "ada");
}

#[tokio::test]
async fn the_first_committed_object_with_a_subject_names_the_subject() {
    for (commits, subject) in [
        ("commit(true)", "ada"),
        ("commit({ subject: 'u-1' })", "u-1"),
        ("commit(200, null, 'x', { other: 1 }, { subject: 'u-2' }, { subject: 'u-3' })", "u-2"),
        ("commit({ subject: 'u-1' }); commit({ subject: 'u-2' })", "u-1"),
        ("commit(true); commit({ subject: 'u-2' })", "u-2"),
        ("commit({ subject: 42 })", "42"),
        ("commit({ subject: undefined }); commit({ subject: 'u-5' })", "u-5"),
        ("commit({ subject: '' })", "ada"),
        ("commit({ subject: NaN })", "ada"),
        ("commit({ subject: { subject: 'nested' } })", "ada"),
        ("commit(class { static subject = 'u-4' })", "u-4"),
    ] {
        assert_eq!(identity(&provider(commits)).await.subject, subject, "{commits}");
    }
}

#[tokio::test]
async fn a_subject_that_no_token_can_carry_is_refused() {
    for subject in ["'x'.repeat(256)", "'a\\nb'", "'jürgen'", "'аda'"] {
        let error = error_of(&provider(&format!("commit({{ subject: {subject} }})"))).await;
        assert!(matches!(&error, ScriptError::BadAnswer(why) if why.contains("commit an id")), "{error}");
    }
}

#[tokio::test]
async fn getters_are_read_after_construction_and_commit() {
    let early = provider("commit(true); this.role = 'late';");
    assert_eq!(identity(&early).await.role, "late");
    let later = provider("setTimeout(() => { this.role = 'timer'; commit(true); this.role = 'after'; }, 5);");
    assert_eq!(identity(&later).await.role, "after");
    let chained = provider("Promise.resolve().then(() => { commit(1) }).then(() => { this.role = 'chained' });");
    assert_eq!(identity(&chained).await.role, "chained");
}

#[tokio::test]
async fn a_person_who_may_not_log_in_is_not_described() {
    let source = "class UserLoginProvider {
        constructor() { commit(false) }
        get canLogin() { return false }
        get userProfile() { throw new Error('nobody asked') }
    }";
    assert_eq!(login(source).await, Ok(None));
}

#[tokio::test]
async fn role_and_scopes_are_optional() {
    let plain = identity(&provider("commit(true)")).await;
    assert_eq!((plain.role.as_str(), plain.scopes.len()), ("default", 0));
    let rich = identity(&provider("this.role = 'admin'; this.scopes = ['a', 7, 'user:b']; commit(true)")).await;
    assert_eq!((rich.role.as_str(), rich.scopes), ("admin", vec!["a".to_owned(), "user:b".to_owned()]));
    assert_eq!(identity(&provider("this.role = 7; this.scopes = 'a b'; commit(true)")).await.role, "default");
}

#[tokio::test]
async fn a_scope_cannot_smuggle_in_a_second_one() {
    let error = error_of(&provider("this.scopes = ['user:x admin']; commit(true)")).await;
    assert!(matches!(error, ScriptError::BadAnswer(_)), "{error}");
}

#[tokio::test]
async fn the_profile_is_whatever_json_says_of_it() {
    let profile = "this.userProfile = { a: [1, { b: null }], f() {}, u: undefined, d: new Date(0) }; commit(true)";
    assert_eq!(
        Value::Object(identity(&provider(profile)).await.profile),
        json!({"a": [1, {"b": null}], "d": "1970-01-01T00:00:00.000Z"})
    );
    for nothing in ["null", "undefined", "[1, 2]", "'text'", "7", "() => 1"] {
        let source = provider(&format!("this.userProfile = {nothing}; commit(true)"));
        assert!(identity(&source).await.profile.is_empty(), "{nothing}");
    }
}

#[tokio::test]
async fn a_profile_that_no_token_can_carry_is_an_error() {
    let cyclic = error_of(&provider("const p = {}; p.self = p; this.userProfile = p; commit(true)")).await;
    assert!(matches!(&cyclic, ScriptError::Exception(message) if message.contains("circular")), "{cyclic}");
    let big = error_of(&provider("this.userProfile = { big: 'x'.repeat(70000) }; commit(true)")).await;
    assert!(matches!(big, ScriptError::BadAnswer(_)), "{big}");
    let huge = error_of(&provider("this.userProfile = Array(3e6).fill('xxxxxxxx'); commit(true)")).await;
    assert!(matches!(huge, ScriptError::BadAnswer(_) | ScriptError::OutOfMemory), "{huge}");
    let deep = provider("let p = {}; for (let i = 0; i < 500; i++) p = { p }; this.userProfile = p; commit(true)");
    assert!(matches!(error_of(&deep).await, ScriptError::BadAnswer(_)));
    let big_int = error_of(&provider("this.userProfile = { n: 1n }; commit(true)")).await;
    assert!(matches!(big_int, ScriptError::Exception(_)), "{big_int}");
}

#[tokio::test]
async fn scripts_are_sloppy_and_share_one_scope() {
    let source = "
        shared = 1;
        const secret = 2;
        function helper() { return typeof this }
        class UserLoginProvider {
            canLogin = true;
            constructor() {
                profile = { shared, secret, helper: helper() };
                response = 1; result = 2;
                commit(true);
            }
            get userProfile() { return profile }
        }";
    assert_eq!(Value::Object(identity(source).await.profile), json!({"shared": 1, "secret": 2, "helper": "object"}));
    let declared = "let profile = { mine: 1 }; var response = 2; const result = 3;
        class UserLoginProvider { canLogin = true; constructor() { commit(true) } get userProfile() { return profile } }";
    assert_eq!(Value::Object(identity(declared).await.profile), json!({"mine": 1}));
}

#[tokio::test]
async fn no_run_sees_what_another_left_behind() {
    let pool = ScriptPool::new(ScriptLimits { turns: 1, ..patient() });
    let source = provider("globalThis.count = (globalThis.count ?? 0) + 1; this.userProfile = { count }; commit(true)");
    for _ in 0..3 {
        let person = pool.login(&script(&source), credentials()).await.unwrap().unwrap();
        assert_eq!(person.profile["count"], 1);
    }
}

#[test]
fn a_script_is_checked_without_running_it() {
    let classes = |source: &str| check(source).map(|classes| (classes.login, classes.validation));
    assert_eq!(classes("class UserLoginProvider {}\nclass UserValidationProvider {}"), Ok((true, true)));
    assert_eq!(classes("class UserLoginProvider {}"), Ok((true, false)));
    assert_eq!(classes("var UserLoginProvider = class {}; function UserValidationProvider() {}"), Ok((true, true)));
    assert_eq!(classes("let x = 1; with (x) { while (true) {} }"), Ok((false, false)));
    assert_eq!(classes("// UserLoginProvider\n'class UserLoginProvider {}'"), Ok((false, false)));
    assert_eq!(classes(""), Ok((false, false)));
    assert_eq!(classes("throw stop"), Ok((false, false)));
}

#[tokio::test]
async fn a_syntax_error_is_found_at_load_with_its_line() {
    let source = "class UserLoginProvider {\n  constructor() {\n    commit(;\n  }\n}";
    let error = check(source).expect_err("this is not JavaScript");
    assert!(matches!(error, ScriptError::Syntax { line: Some(3), .. }), "{error:?}");
    assert!(error.to_string().starts_with("syntax error in line 3: "), "{error}");
    assert_eq!(login(source).await, Err(error));
    for broken in ["class {", "let a; let a;", "\0", "`", "}"] {
        assert!(check(broken).is_err(), "{broken:?}");
    }
    check(&format!("/*{}*/ class UserLoginProvider {{}}", "x".repeat(1_000_000))).expect("a long script");
    assert!(check(&"[".repeat(200_000)).is_err());
}
