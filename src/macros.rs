//! Macros: that make errors, and that make artifacts part of a program.

/// Makes an [`Error`](crate::Error) from a format string and its arguments.
///
/// ```
/// let error = kinglet::format_err!("no file called {:?}", "a.txt");
/// assert_eq!(error.to_string(), r#"no file called "a.txt""#);
/// ```
#[macro_export]
macro_rules! format_err {
    ($($args:tt)*) => {
        $crate::Error::msg($crate::__private::format!($($args)*))
    };
}

/// Returns an [`Error`](crate::Error) made from a format string and its arguments.
///
/// ```
/// fn half(n: u32) -> kinglet::Result<u32> {
///     if n % 2 != 0 {
///         kinglet::bail!("{n} is odd");
///     }
///     Ok(n / 2)
/// }
/// assert!(half(3).is_err());
/// ```
#[macro_export]
macro_rules! bail {
    ($($args:tt)*) => {
        return ::core::result::Result::Err($crate::format_err!($($args)*))
    };
}

/// The bytes of a file as a part of the program, at an address where [`Module::deserialize_static`](crate::Module::deserialize_static) can
/// use them. The path is relative to the source file, as that of [`include_bytes!`] is.
///
/// ```
/// # // Any file will do.
/// static CONTROLLER: &[u8] = kinglet::include_artifact!("macros.rs");
/// # assert!(CONTROLLER.as_ptr().addr() % 16 == 0 && CONTROLLER.starts_with(b"//!"));
/// ```
#[macro_export]
macro_rules! include_artifact {
    ($path:expr $(,)?) => {{
        #[repr(C, align(16))]
        struct Aligned<B: ?Sized>(B);
        static ARTIFACT: &Aligned<[u8]> = &Aligned(*::core::include_bytes!($path));
        let bytes: &'static [u8] = &ARTIFACT.0;
        bytes
    }};
}
