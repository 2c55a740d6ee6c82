//! Secret bytes: zeroised, without copies, and without anything that prints or compares them.

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// `N` secret bytes. On the heap, so that moving the value leaves no copy behind; zeroised when dropped.
pub struct Secret<const N: usize>(Box<[u8; N]>);

impl<const N: usize> Secret<N> {
    /// All zeros, to be filled in place.
    pub(crate) fn zeros() -> Secret<N> {
        Secret(Box::new([0; N]))
    }

    /// Fills a new secret in place.
    pub fn fill(fill: impl FnOnce(&mut [u8; N])) -> Secret<N> {
        let mut secret = Secret::zeros();
        fill(&mut secret.0);
        secret
    }

    /// The bytes, for the one use at hand.
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Does something with secrets, and overwrites what it left on the stack, `KIB` KiB deep: values that the crates move around, and what the
/// compiler spilled. What comes back must hold its secrets elsewhere.
pub fn on_wiped_stack<const KIB: usize, T>(work: impl FnOnce() -> T) -> T {
    #[inline(never)]
    fn apart<T>(work: impl FnOnce() -> T) -> T {
        work()
    }
    #[inline(never)]
    fn wipe<const KIB: usize>() {
        // It lies where the frames of the work lay.
        let mut stack = [[0_u64; 128]; KIB];
        stack.as_flattened_mut().zeroize();
    }
    let done = apart(work);
    wipe::<KIB>();
    done
}

/// Compares in time that does not depend on the contents.
pub fn equal(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}
