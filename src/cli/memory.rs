//! How much memory is to be had, before Argon2id takes it: a process that is killed for it, or whose allocation fails, says nothing.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, getrlimit};

const KIB: u64 = 1 << 10;

/// Bytes that can still be taken, as far as the system tells: free memory and swap, and what is left under the limits of the control groups
/// (version 2) and of the address space.
pub fn available() -> Option<u64> {
    let read = |path: &str| fs::read_to_string(path).ok();
    let machine = read("/proc/meminfo").and_then(|text| free_of(&text));
    let group = read("/proc/self/cgroup").and_then(|text| group_of(&text)).and_then(|group| left_in(&group));
    let taken = || read("/proc/self/status").and_then(|text| kib(&text, "VmSize:"));
    let space = getrlimit(Resource::As).current.map(|limit| limit.saturating_sub(taken().unwrap_or(0)));
    [machine, group, space].into_iter().flatten().min()
}

/// Memory that is free or can be freed, and free swap.
fn free_of(meminfo: &str) -> Option<u64> {
    Some(kib(meminfo, "MemAvailable:")? + kib(meminfo, "SwapFree:").unwrap_or(0))
}

/// A field in KiB, in bytes.
fn kib(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(KIB)
}

/// The directory of the process's group.
fn group_of(cgroup: &str) -> Option<PathBuf> {
    let path = cgroup.lines().find_map(|line| line.strip_prefix("0::/"))?;
    Some(Path::new("/sys/fs/cgroup").join(path))
}

/// What is left in a group and in those around it. Cached files are given back when memory is short.
fn left_in(group: &Path) -> Option<u64> {
    let number = |path: PathBuf| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let left = |group: &Path| {
        // Without a limit there is a word, and no number.
        let limit = number(group.join("memory.max"))?;
        let taken = number(group.join("memory.current"))?;
        let stat = fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
        let cached = stat.lines().find_map(|line| line.strip_prefix("inactive_file ")?.parse::<u64>().ok());
        Some(limit.saturating_sub(taken.saturating_sub(cached.unwrap_or(0))))
    };
    group.ancestors().take_while(|above| above.starts_with("/sys/fs/cgroup")).filter_map(left).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_is_understood() {
        let meminfo = "MemTotal:       16303428 kB\nMemAvailable:   1000 kB\nSwapFree:          24 kB\n";
        assert_eq!(free_of(meminfo), Some(1_048_576));
        assert_eq!(free_of("MemTotal: 5 kB\nMemAvailable: 7 kB\n"), Some(7168));
        assert_eq!((free_of(""), free_of("MemAvailable: many\n")), (None, None));
        assert_eq!(
            group_of("1:name=x:/y\n0::/system.slice/vault.service\n").as_deref(),
            Some(Path::new("/sys/fs/cgroup/system.slice/vault.service"))
        );
        assert_eq!(group_of("4:memory:/old\n"), None);
        assert!(available().is_some_and(|bytes| bytes > KIB * KIB));
    }
}
