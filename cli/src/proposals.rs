//! Which WebAssembly proposals the command line lets modules use.

use std::str::FromStr;

use kinglet::Config;

/// Stands for all of them.
const ALL: &str = "all-proposals";

/// What modules may use.
#[derive(clap::Args)]
pub(crate) struct ProposalArgs {
    /// Switch WebAssembly proposals on or off, such as `-W simd=n,compact-imports=y`; `all-proposals` is every one.
    #[arg(short = 'W', long = "wasm", value_name = "NAME[=y|n],…", value_delimiter = ',')]
    wasm: Vec<Switch>,
}

/// A proposal, and whether it is on.
#[derive(Debug, Clone, PartialEq)]
struct Switch {
    name: String,
    on: bool,
}

impl FromStr for Switch {
    type Err = String;

    fn from_str(text: &str) -> Result<Switch, String> {
        let (name, value) = text.split_once('=').unwrap_or((text, "y"));
        let on = match value {
            "y" | "yes" | "true" => true,
            "n" | "no" | "false" => false,
            _ => return Err(format!("`{value}` is neither `y` nor `n`")),
        };
        if name != ALL {
            Config::new().wasm_feature(name, on).map_err(|error| error.to_string())?;
        }
        Ok(Switch { name: name.to_owned(), on })
    }
}

impl ProposalArgs {
    /// Switches what the arguments say, one after the other.
    pub(crate) fn apply(&self, config: &mut Config) {
        for Switch { name, on } in &self.wasm {
            for known in Config::wasm_feature_names() {
                if name == known || name == ALL {
                    config.wasm_feature(known, *on).expect("it is one of the names");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches() {
        let switch = |name: &str, on| Ok(Switch { name: name.to_owned(), on });
        assert_eq!("memory64".parse(), switch("memory64", true));
        assert_eq!("tail-call=n".parse(), switch("tail-call", false));
        assert_eq!("all-proposals=no".parse(), switch("all-proposals", false));
        assert!("memory64=maybe".parse::<Switch>().is_err());
        assert!("gravity".parse::<Switch>().unwrap_err().contains("there are: mutable-global, "));
    }
}
