//! Hands on the name of the host's target.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!(
        "cargo::rustc-env=HOST={}",
        std::env::var("HOST").unwrap_or_default()
    );
}
