//! Who may sign in at the shop of these tests.

/// A user of the console.
pub struct Person {
    pub name: &'static str,
    pub password: &'static str,
    role: &'static str,
    hash: &'static str,
}

/// May change rules.
pub const OPS: Person = Person {
    name: "ops",
    password: "correct-horse-ops",
    role: "editor",
    hash: "$argon2id$v=19$m=19456,t=2,p=1$w1wT7mgxwVLXjEg9a8+75Q$Wc6frIrexL1ZVXAiyeFMtxHTKbCxAZMsFzMZyXCO1hs",
};

/// May write to customers.
pub const ANNA: Person = Person {
    name: "anna",
    password: "correct-horse-anna",
    role: "agent",
    hash: "$argon2id$v=19$m=19456,t=2,p=1$MNwfimbJ89NZvtX2sssWzg$8jwt3eI2K/8FZL3qNy7TYuZvV3ckQbhzDxOJSKjMCFY",
};

/// May look.
pub const VERA: Person = Person {
    name: "vera",
    password: "correct-horse-vera",
    role: "viewer",
    hash: "$argon2id$v=19$m=19456,t=2,p=1$WdguYeiZ6jVfMQpFAMyWyQ$FPX289dWni7j0qb2COHnosV81I+5Apcgj1+7nyqyznU",
};

/// Their lines in the config.
pub fn config(people: &[&Person]) -> String {
    let tables = people.iter().map(|person| {
        let Person { name, role, hash, .. } = person;
        format!("[[admin.user]]\nname = \"{name}\"\nrole = \"{role}\"\npassword_hash = \"{hash}\"\n")
    });
    tables.collect()
}
