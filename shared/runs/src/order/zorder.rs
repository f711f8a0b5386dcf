//! Bits of several numbers interleaved, highest first, so that rows near in each column are near in the order.

/// Appends the interleaved bits of `values`, eight bytes for each.
pub(super) fn interleave(values: &[u64], into: &mut Vec<u8>) {
    if let [one] = values {
        return into.extend_from_slice(&one.to_be_bytes());
    }
    let (mut byte, mut filled) = (0_u8, 0_u8);
    for bit in (0..64).rev() {
        for value in values {
            byte = (byte << 1) | ((value >> bit) & 1) as u8;
            filled += 1;
            if filled == 8 {
                into.push(byte);
                (byte, filled) = (0, 0);
            }
        }
    }
}
