//! What the tests need that is no crate: Chromium from Debian, axe-core from npm, schemathesis from PyPI. Installed once where it
//! is missing, and never skipped in silence.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// axe-core, the accessibility checker.
const AXE: &str = "axe-core@4.14.1";

/// Everything that schemathesis needs, with its version.
const SCHEMATHESIS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/console/requirements.txt");

/// Chromium, and what drives it.
pub struct Chromium {
    pub browser: PathBuf,
    pub driver: PathBuf,
}

/// Chromium with its driver and a Chinese font.
pub fn chromium() -> &'static Chromium {
    static CHROMIUM: OnceLock<Chromium> = OnceLock::new();
    CHROMIUM.get_or_init(|| {
        let _lock = lock();
        let packages = ["chromium", "chromium-driver", "fonts-noto-cjk"];
        let find = || {
            Some(Chromium {
                browser: first_of(&["chromium", "chromium-browser", "google-chrome"])?,
                driver: first_of(&["chromedriver"])?,
            })
        };
        let is_debian = first_of(&["dpkg-query"]).is_some();
        let complete =
            |found: &Chromium| !is_debian || !found.browser.ends_with("chromium") || has(packages[2]);
        if let Some(found) = find().filter(complete) {
            return found;
        }
        apt_install(&packages);
        find().expect("what apt-get has just installed")
    })
}

/// The script of axe-core, to be run in a page.
pub fn axe() -> &'static str {
    static SCRIPT: OnceLock<String> = OnceLock::new();
    SCRIPT.get_or_init(|| {
        let _lock = lock();
        let folder = tools().join(AXE);
        let script = folder.join("node_modules/axe-core/axe.min.js");
        if !script.exists() {
            if first_of(&["npm"]).is_none() {
                apt_install(&["nodejs", "npm"]);
            }
            let mut npm = Command::new("npm");
            npm.args([
                "install",
                "--no-save",
                "--no-audit",
                "--no-fund",
                "--ignore-scripts",
                "--prefix",
            ]);
            run(npm.arg(&folder).arg(AXE));
        }
        fs::read_to_string(script).expect("what npm has just installed")
    })
}

/// The command of schemathesis.
pub fn schemathesis() -> &'static Path {
    static COMMAND: OnceLock<PathBuf> = OnceLock::new();
    COMMAND.get_or_init(|| {
        let _lock = lock();
        let wanted = fs::read_to_string(SCHEMATHESIS).expect("readable");
        let folder = tools().join("schemathesis");
        // Written last: a folder without it, or with another, was left half done or is of older versions.
        let installed = folder.join("installed.txt");
        if fs::read_to_string(&installed).ok().as_ref() != Some(&wanted) {
            // Debian has Python without what makes a venv.
            let venv = Command::new("python3")
                .args(["-c", "import venv, ensurepip"])
                .output();
            if !venv.is_ok_and(|output| output.status.success()) {
                apt_install(&["python3", "python3-venv"]);
            }
            run(Command::new("python3")
                .args(["-m", "venv", "--clear"])
                .arg(&folder));
            let mut pip = Command::new(folder.join("bin/pip"));
            pip.args([
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--only-binary",
                ":all:",
                "-r",
            ]);
            run(pip.arg(SCHEMATHESIS));
            fs::write(&installed, wanted).expect("writable");
        }
        folder.join("bin/schemathesis")
    })
}

/// A folder under `target` for things that people look at.
pub fn gallery(name: &str) -> PathBuf {
    let folder = target().join(name);
    fs::create_dir_all(&folder).expect("a writable target folder");
    folder
}

fn target() -> &'static Path {
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    tmp.parent().expect("it lies in the target folder")
}

fn tools() -> PathBuf {
    gallery("tools")
}

/// Held while something is looked for or installed, across all tests and all of cargo's processes.
fn lock() -> File {
    let file = File::create(tools().join("lock")).expect("a writable target folder");
    file.lock().expect("a lock");
    file
}

fn first_of(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    let all = names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    all.into_iter().find(|file| file.is_file())
}

fn has(package: &str) -> bool {
    let asked = Command::new("dpkg-query")
        .args(["-W", "-f", "${db:Status-Status}", package])
        .output();
    asked.is_ok_and(|output| output.stdout == b"installed")
}

fn apt_install(packages: &[&str]) {
    let names = packages.join(" ");
    let by_hand = format!(
        "the console's tests need {names}, and these can be installed here only on Debian by root: install them by hand \
         (Chromium or Chrome with the chromedriver of the same version, a font with Chinese characters, Node.js with npm, Python 3 \
         with venv), so that they are in PATH"
    );
    assert!(first_of(&["apt-get"]).is_some() && is_root(), "{by_hand}");
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.args(["-qq", "-o", "DPkg::Lock::Timeout=300"])
            .env("DEBIAN_FRONTEND", "noninteractive");
        apt
    };
    run(apt().arg("update"));
    run(apt()
        .args(["install", "-y", "--no-install-recommends"])
        .args(packages));
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?} can't be run: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
