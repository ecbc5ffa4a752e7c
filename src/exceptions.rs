//! Tags and exceptions.

use crate::{
    AsContext, AsContextMut, Engine, Error, FuncType, Result, Rooted, Store, StoreContext,
    StoreContextMut, TagType, ThrownException, Val, ValType,
    gc::{gc_ref, sealed::Sealed as _},
    store::StoreId,
    values::{check_vals, read_slots, write_slots},
};
use alloc::{vec, vec::Vec};
use kinglet_core::{
    index::TagAddr,
    runtime::{StoreInner, exception},
    types::slot_count,
};

/// A tag of a store: tells exceptions apart, and says what they carry.
///
/// Methods panic if they are given another store.
///
/// ```
/// use kinglet::{Engine, FuncType, Store, Tag, TagType, ValType};
///
/// let engine = Engine::default();
/// let mut store = Store::new(&engine, ());
/// let ty = TagType::new(FuncType::new(&engine, [ValType::I32], []));
/// let tag = Tag::new(&mut store, &ty)?;
/// assert_eq!(tag.ty(&store).ty().params().len(), 1);
/// assert!(!Tag::eq(&tag, &Tag::new(&mut store, &ty)?, &store));
/// # Ok::<(), kinglet::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Tag {
    pub(crate) store: StoreId,
    pub(crate) addr: TagAddr,
}

impl Tag {
    /// A tag that is different from all others.
    ///
    /// # Errors
    /// The type has results.
    ///
    /// # Panics
    /// If the type is one of another engine.
    pub fn new(mut store: impl AsContextMut, ty: &TagType) -> Result<Tag> {
        let store = store.as_context_mut();
        check_no_results(ty)?;
        ty.ty().0.keep(store.inner);
        let addr = store.inner.add_host_tag(ty.ty().0.ids());
        Ok(Tag { store: StoreId::of(store.inner), addr })
    }

    /// The type.
    pub fn ty(&self, store: impl AsContext) -> TagType {
        let store = store.as_context();
        let id = self.core(store.inner).engine_type();
        TagType::new(FuncType::of(store.engine().types(), id))
    }

    /// Its name in the module that defines it: from the name section, or an export. Tags of the host have none.
    pub fn name<'a, T: 'static>(&self, store: impl Into<StoreContext<'a, T>>) -> Option<&'a str> {
        let inner = store.into().inner;
        let (instance, tag) = self.core(inner).origin?;
        inner.instance(instance).module.tag_name(tag)
    }

    /// Whether both are the same tag: one that has been exported and imported is the same.
    pub fn eq(a: &Tag, b: &Tag, store: impl AsContext) -> bool {
        let inner = store.as_context().inner;
        a.store.check(inner);
        b.store.check(inner);
        a.addr == b.addr
    }

    fn core<'a>(&self, inner: &'a StoreInner) -> &'a exception::Tag {
        self.store.check(inner);
        inner.tag(self.addr)
    }
}

fn check_no_results(ty: &TagType) -> Result<()> {
    if ty.ty().results().len() == 0 {
        Ok(())
    } else {
        Err(Error::msg("the type of a tag has no results"))
    }
}

/// The type of exceptions: of what they carry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExnType(TagType);

impl ExnType {
    /// The type of exceptions that carry such values.
    ///
    /// # Errors
    /// None today.
    pub fn new(engine: &Engine, fields: impl IntoIterator<Item = ValType>) -> Result<ExnType> {
        Ok(ExnType(TagType::new(FuncType::new(engine, fields, []))))
    }

    /// The type of exceptions with a tag of this type.
    ///
    /// # Errors
    /// The type has results.
    pub fn from_tag_type(tag: &TagType) -> Result<ExnType> {
        check_no_results(tag)?;
        Ok(ExnType(tag.clone()))
    }

    /// The type of a tag of such exceptions.
    pub fn tag_type(&self) -> TagType {
        self.0.clone()
    }

    /// Types of the values, in order.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = ValType> + '_ {
        self.0.ty().params()
    }

    fn core(&self) -> &[kinglet_core::types::ValType] {
        self.0.ty().core().params()
    }
}

/// What it takes to make exceptions of a type.
#[derive(Clone, Debug)]
pub struct ExnRefPre {
    store: StoreId,
    ty: ExnType,
}

impl ExnRefPre {
    /// Prepares to make exceptions of this type.
    pub fn new(mut store: impl AsContextMut, ty: ExnType) -> ExnRefPre {
        ExnRefPre { store: StoreId::of(store.as_context_mut().inner), ty }
    }
}

gc_ref! {
    /// A reference to an exception.
    ///
    /// Methods panic if they are given another store.
    ExnRef
}

impl ExnRef {
    /// Makes an exception. It is on its way once somebody [throws](Store::throw) it.
    ///
    /// # Errors
    /// The values are not of the types of the tag, the tag is not of the type of `pre`, or there is no room for the
    /// exception.
    pub fn new(
        mut store: impl AsContextMut,
        pre: &ExnRefPre,
        tag: &Tag,
        fields: &[Val],
    ) -> Result<Rooted<ExnRef>> {
        let StoreContextMut { inner, data } = store.as_context_mut();
        pre.store.check(inner);
        let types = tag.core(inner).ty().params();
        if types != pre.ty.core() {
            return Err(Error::msg("the tag is not of the type of the exception"));
        }
        check_vals(inner, fields, types, "field")?;
        let mut slots = vec![0; slot_count(types) as usize];
        write_slots(fields, &mut slots, inner)?;
        let handle = inner.new_exception(data, tag.addr, &slots)?;
        Ok(Rooted::add(handle, inner))
    }

    /// The tag.
    ///
    /// # Errors
    /// The scope of the reference has ended.
    pub fn tag(&self, mut store: impl AsContextMut) -> Result<Tag> {
        let inner = store.as_context_mut().inner;
        let (addr, _) = self.core(inner)?;
        Ok(Tag { store: StoreId::of(inner), addr })
    }

    /// The type.
    ///
    /// # Errors
    /// The scope of the reference has ended.
    pub fn ty(&self, store: impl AsContext) -> Result<ExnType> {
        let inner = store.as_context().inner;
        let (addr, _) = self.core(inner)?;
        Ok(ExnType(Tag { store: StoreId::of(inner), addr }.ty(&store)))
    }

    /// The value at `index` of those that it carries.
    ///
    /// # Errors
    /// It has no such value, or the scope of the reference has ended.
    pub fn field(&self, store: impl AsContextMut, index: usize) -> Result<Val> {
        self.fields(store)?
            .nth(index)
            .ok_or_else(|| Error::msg(alloc::format!("an exception has no field {index}")))
    }

    /// The values that it carries.
    ///
    /// # Errors
    /// The scope of the reference has ended.
    pub fn fields(
        &self,
        mut store: impl AsContextMut,
    ) -> Result<impl ExactSizeIterator<Item = Val>> {
        let inner = store.as_context_mut().inner;
        let (tag, slots) = self.core(inner)?;
        let (slots, types) = (slots.to_vec(), inner.tag(tag).ty().params().to_vec());
        let mut vals = Vec::with_capacity(types.len());
        read_slots(&types, &slots, inner, |val| vals.push(val));
        Ok(vals.into_iter())
    }

    fn core<'a>(&self, inner: &'a StoreInner) -> Result<(TagAddr, &'a [u64])> {
        Ok(inner.exception(self.reference().get(inner)?))
    }
}

/// Exceptions on their way through the host: see [`ThrownException`].
impl<T: 'static> Store<T> {
    /// Begins to throw an exception, or goes on throwing it: a host function returns the error that it answers.
    ///
    /// ```
    /// use kinglet::{
    ///     AsContextMut, Caller, Engine, ExnRef, ExnRefPre, ExnType, Func, FuncType, Instance, Module, Store, Tag, TagType,
    ///     ThrownException, Val, ValType,
    /// };
    ///
    /// let engine = Engine::default();
    /// let module = Module::new(
    ///     &engine,
    ///     r#"(module
    ///         (import "host" "failed" (tag $failed (param i32)))
    ///         (import "host" "f" (func $f (param i32)))
    ///         (func (export "caught") (param i32) (result i32)
    ///             (block $handler (result i32)
    ///                 (try_table (catch $failed $handler) (call $f (local.get 0)))
    ///                 (i32.const 0)))
    ///         (export "f" (func $f)))"#,
    /// )?;
    /// let mut store = Store::new(&engine, ());
    /// let failed = Tag::new(&mut store, &TagType::new(FuncType::new(&engine, [ValType::I32], [])))?;
    /// let f = Func::wrap(&mut store, move |mut caller: Caller<'_, ()>, n: i32| -> kinglet::Result<()> {
    ///     let ty = ExnType::from_tag_type(&failed.ty(&caller))?;
    ///     let pre = ExnRefPre::new(&mut caller, ty);
    ///     let exception = ExnRef::new(&mut caller, &pre, &failed, &[Val::I32(n + 1)])?;
    ///     Ok(caller.as_context_mut().throw(exception)?)
    /// });
    /// let instance = Instance::new(&mut store, &module, &[failed.into(), f.into()])?;
    ///
    /// let caught = instance.get_typed_func::<i32, i32>(&mut store, "caught")?;
    /// assert_eq!(caught.call(&mut store, 5)?, 6);
    ///
    /// let f = instance.get_typed_func::<i32, ()>(&mut store, "f")?;
    /// assert!(f.call(&mut store, 5).unwrap_err().is::<ThrownException>());
    /// let exception = store.take_pending_exception().unwrap();
    /// assert!(Tag::eq(&exception.tag(&mut store)?, &failed, &store));
    /// assert_eq!(exception.field(&mut store, 0)?.unwrap_i32(), 6);
    /// # Ok::<(), kinglet::Error>(())
    /// ```
    ///
    /// # Errors
    /// Always.
    ///
    /// # Panics
    /// If the exception belongs to another store, or its scope has ended.
    pub fn throw<R>(&mut self, exception: Rooted<ExnRef>) -> Result<R, ThrownException> {
        self.as_context_mut().throw(exception)
    }

    /// Takes the exception that is on its way through the host, which is over with that. There is one where a
    /// [`ThrownException`] is the error.
    pub fn take_pending_exception(&mut self) -> Option<Rooted<ExnRef>> {
        self.as_context_mut().take_pending_exception()
    }

    /// Whether an exception is on its way through the host.
    pub fn has_pending_exception(&self) -> bool {
        self.as_context().inner.has_pending_exception()
    }
}

impl<T: 'static> StoreContextMut<'_, T> {
    /// As [`Store::throw`].
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// As there.
    pub fn throw<R>(&mut self, exception: Rooted<ExnRef>) -> Result<R, ThrownException> {
        let handle =
            Rooted::handle(Some(exception), self.inner).expect("an exception that is held");
        Err(self.inner.throw(handle))
    }

    /// As [`Store::take_pending_exception`].
    pub fn take_pending_exception(&mut self) -> Option<Rooted<ExnRef>> {
        let handle = self.inner.take_pending_exception()?;
        Rooted::from_handle(handle, self.inner)
    }

    /// As [`Store::has_pending_exception`].
    pub fn has_pending_exception(&self) -> bool {
        self.inner.has_pending_exception()
    }
}
