//! Turns of the sides: in blocks, so that what the machine does in the course
//! of a run meets all of them alike.

/// `rounds` of each side, at most `block` in a row. The order is turned around
/// after each set, so that none is always the one after a pause.
pub fn turns<T: Copy>(sides: &[T], rounds: usize, block: usize) -> Vec<(T, usize)> {
    let block = block.max(1);
    let mut order = sides.to_vec();
    let mut turns = Vec::new();
    let mut done = 0;
    while done < rounds {
        let now = block.min(rounds - done);
        turns.extend(order.iter().map(|side| (*side, now)));
        order.reverse();
        done += now;
    }
    turns
}

#[cfg(test)]
mod tests {
    use super::turns;

    #[test]
    fn sides_take_turns_and_each_has_all_its_rounds() {
        let order = turns(&['a', 'b'], 5, 2);
        assert_eq!(
            order,
            [('a', 2), ('b', 2), ('b', 2), ('a', 2), ('a', 1), ('b', 1)]
        );
        assert!(turns(&['a'], 0, 2).is_empty());
        assert_eq!(turns(&['a'], 1, 0), [('a', 1)]);
    }
}
