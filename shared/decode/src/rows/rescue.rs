//! What is kept of a record beside its columns: a JSON value that mirrors the record and holds only what did not fit, as
//! raw text. In arrays `null` stands for elements that fit, up to the last that did not, so that positions stay.

use std::iter::Peekable;
use std::slice::Iter;

use super::fit_json::Record;
use crate::infer::{Fields, Kinds, Room, Seen};
use crate::json::{self, Kind};

/// Nodes, in order, that are still to come.
type Nodes<'a> = Peekable<Iter<'a, u32>>;

/// Appends what remains of the value at node `index`, given the nodes below or at it that did not fit (at least one).
pub(super) fn write_remainder(record: Record<'_>, index: usize, misfits: &[u32], out: &mut Vec<u8>) {
    write(record, index, &mut misfits.iter().peekable(), out);
}

fn write(record: Record<'_>, index: usize, misfits: &mut Nodes<'_>, out: &mut Vec<u8>) {
    let node = record.nodes[index];
    if misfits.next_if(|misfit| **misfit as usize == index).is_some() {
        out.extend_from_slice(node.raw(record.text).as_bytes());
        return;
    }
    if node.kind == Kind::Array {
        out.push(b'[');
        let mut element = index + 1;
        let mut first = true;
        // The elements after the last misfit are left away.
        while comes_before(misfits, node.next) {
            separate(&mut first, out);
            let next = record.nodes[element].next;
            if comes_before(misfits, next) {
                write(record, element, misfits, out);
            } else {
                out.extend_from_slice(b"null");
            }
            element = next as usize;
        }
        out.push(b']');
    } else {
        out.push(b'{');
        let mut member = index + 1;
        let mut first = true;
        while comes_before(misfits, node.next) {
            let next = record.nodes[member + 1].next;
            if comes_before(misfits, next) {
                separate(&mut first, out);
                out.extend_from_slice(record.nodes[member].raw(record.text).as_bytes());
                out.push(b':');
                write(record, member + 1, misfits, out);
            }
            member = next as usize;
        }
        out.push(b'}');
    }
}

/// Writes a comma unless it is before the first.
pub(super) fn separate(first: &mut bool, out: &mut Vec<u8>) {
    if !*first {
        out.push(b',');
    }
    *first = false;
}

fn comes_before(nodes: &mut Nodes<'_>, end: u32) -> bool {
    nodes.peek().is_some_and(|node| **node < end)
}

/// Takes in the values of names without a column, at the nodes `strangers`, under their path from the record's object.
pub(super) fn note_strangers(record: Record<'_>, strangers: &[u32], fields: &mut Fields, room: &mut Room) {
    note_members(record, 0, &mut strangers.iter().peekable(), fields, room);
}

/// The same below the value of one CSV field.
pub(super) fn note_strangers_within(record: Record<'_>, strangers: &[u32], seen: &mut Seen, room: &mut Room) {
    note(record, 0, &mut strangers.iter().peekable(), seen, room);
}

fn note_members(record: Record<'_>, index: usize, strangers: &mut Nodes<'_>, fields: &mut Fields, room: &mut Room) {
    let end = record.nodes[index].next;
    let (mut member, mut guess) = (index + 1, 0);
    let mut scratch = Vec::new();
    fields.begin();
    while comes_before(strangers, end) {
        let (name, next) = (record.nodes[member], record.nodes[member + 1].next);
        if comes_before(strangers, next) {
            let mut meaning = name.inner(record.text);
            if name.kind == Kind::Escaped {
                scratch.clear();
                json::unescape_onto(meaning, &mut scratch);
                meaning = str::from_utf8(&scratch).unwrap_or_default();
            }
            match fields.next(meaning, &mut guess, room) {
                Some(seen) => note(record, member + 1, strangers, seen, room),
                // No room, or the second of twins, which will never be a column: what is below is passed over.
                None => while strangers.next_if(|stranger| **stranger < next).is_some() {},
            }
        }
        member = next as usize;
    }
}

fn note(record: Record<'_>, index: usize, strangers: &mut Nodes<'_>, seen: &mut Seen, room: &mut Room) {
    if strangers.next_if(|stranger| **stranger as usize == index).is_some() {
        seen.see(record.text, record.nodes, index, room);
        return;
    }
    let node = record.nodes[index];
    if node.kind == Kind::Object {
        seen.kinds = seen.kinds.or(Kinds::OBJECT);
        note_members(record, index, strangers, &mut seen.fields, room);
        return;
    }
    seen.kinds = seen.kinds.or(Kinds::ARRAY);
    let mut element = index + 1;
    while comes_before(strangers, node.next) {
        let next = record.nodes[element].next;
        if comes_before(strangers, next) {
            note(record, element, strangers, seen.element.get_or_insert_default(), room);
        }
        element = next as usize;
    }
}
