//! Python's pickles, read without running anything: a machine that knows the opcodes of protocols 2 to 5 and the few names
//! that files of weights use. Whatever else a pickle asks for is refused by its name.

mod global;
mod machine;

pub(crate) use global::Global;
pub(crate) use machine::load;

/// A value's place in [`Pickle::values`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id(pub(crate) usize);

/// What a pickle holds. Values name each other by [`Id`], so that one that contains itself is no trouble.
#[derive(Debug)]
pub(crate) struct Pickle {
    values: Vec<Value>,
    /// The value it is about.
    pub(crate) root: Id,
    /// The bytes it took.
    pub(crate) len: usize,
}

/// A value.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    None,
    Int(i64),
    Text(String),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A name that may be asked for.
    Global(Global),
    /// Where a tensor's values lie: what the pickle hands to whoever loads it.
    Persistent(Id),
    /// A call of one of the names, with its arguments.
    Call(Global, Id),
    /// Something that is no weight: a truth value, a fraction, an object.
    Opaque,
}

impl Pickle {
    /// All values.
    pub(crate) fn ids(&self) -> impl Iterator<Item = Id> + use<> {
        (0..self.values.len()).map(Id)
    }

    pub(crate) fn value(&self, id: Id) -> &Value {
        &self.values[id.0]
    }

    /// The members of a tuple or list.
    pub(crate) fn members(&self, id: Id) -> Option<&[Id]> {
        match self.value(id) {
            Value::Tuple(members) | Value::List(members) => Some(members),
            _ => None,
        }
    }

    pub(crate) fn text(&self, id: Id) -> Option<&str> {
        match self.value(id) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A number that is not negative.
    pub(crate) fn size(&self, id: Id) -> Option<usize> {
        match self.value(id) {
            Value::Int(n) => usize::try_from(*n).ok(),
            _ => None,
        }
    }

    /// A tuple of numbers that are not negative.
    pub(crate) fn sizes(&self, id: Id) -> Option<Vec<usize>> {
        self.members(id)?.iter().map(|&m| self.size(m)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(pickle: &[u8]) -> String {
        load(pickle).unwrap_err()
    }

    #[test]
    fn what_would_run_is_refused_by_name() {
        // What `pickle.dumps` makes of an object whose `__reduce__` gives `(os.system, ("echo",))`, protocol 2.
        let old = b"\x80\x02cposix\nsystem\nq\x00X\x04\x00\x00\x00echoq\x01\x85q\x02Rq\x03.";
        assert_eq!(refused(old), "asks for `posix.system`, which weights have no need of: it was not run");
        // The same by protocol 4.
        let new = b"\x80\x04\x95\x1e\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x04echo\x94\x85\x94R\x94.";
        assert!(refused(new).contains("`posix.system`"));
        assert!(refused(b"\x80\x02cbuiltins\neval\n.").contains("`builtins.eval`"));
        // A name that may be asked for does not lead to another.
        assert!(refused(b"\x80\x02ctorch\nload\n.").contains("`torch.load`"));
        assert!(refused(b"\x80\x02c__main__\nNet\n.").contains("save its `state_dict()` instead"));
    }

    #[test]
    fn plain_values_are_read() {
        // pickle.dumps({"a": (1, 300, -2, 70000), "b": [True, None, 0.5]}, protocol=2)
        let p = load(b"\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01(K\x01M,\x01J\xfe\xff\xff\xffJp\x11\x01\x00tq\x02X\x01\x00\x00\x00bq\x03]q\x04(\x88NG?\xe0\x00\x00\x00\x00\x00\x00eu.").unwrap();
        let Value::Dict(entries) = p.value(p.root) else { panic!("{p:?}") };
        assert_eq!(p.text(entries[0].0), Some("a"));
        let numbers: Vec<_> = p.members(entries[0].1).unwrap().iter().map(|&m| p.value(m).clone()).collect();
        assert!(matches!(numbers[..], [Value::Int(1), Value::Int(300), Value::Int(-2), Value::Int(70000)]));
        assert_eq!(p.members(entries[1].1).map(<[Id]>::len), Some(3));
        assert_eq!(p.sizes(entries[0].1), None);
    }

    #[test]
    fn broken_pickles_are_refused() {
        for (pickle, why) in [
            (&b"\x80\x02"[..], "ends"),
            (b"\x80\x02K\x01", "ends"),
            (b"\x80\x02.", "takes a value where none is"),
            (b"\x80\x02t.", "mark"),
            (b"\x80\x02h\x05.", "never kept"),
            (b"\x80\x02K\x01K\x02s.", "takes a value"),
            (b"\x80\x02X\xff\xff\xff\xff.", "ends"),
            (b"\x80\x09.", "protocol 9"),
            (b"\x80\x02\x01.", "opcode 0x01"),
        ] {
            let e = refused(pickle);
            assert!(e.contains(why), "{e}");
        }
    }
}
