//! Macros that make errors.

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
