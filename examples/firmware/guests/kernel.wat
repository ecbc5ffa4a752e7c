;; Work for the integer units, of the kinds that CoreMark has: a list that is reversed and sorted, a product of matrices, a state machine
;; over text, and check sums of all of them. `run` answers 0, or the number of the first part whose check sum is wrong.
(module
  (import "board" "report" (func $report (param $part i32) (param $crc i32)))

  ;; Bytes: pages of 64 KiB would be a lot for a small processor.
  (memory (export "memory") 1344 1344 (pagesize 1))
  ;;    0: what check sums are checked with
  ;;   16: numbers, each ended by a comma
  ;;  256: 8 counters, one for each state
  ;;  288: the head of a list that is merged; only its link is used
  ;;  320: 32 nodes of a list: a link, a value and a place, of 4, 2 and 2 bytes
  ;;  576: two matrices of 8 x 8 numbers of 2 bytes
  ;; 1088: their product, of 4 bytes each
  (data (i32.const 0) "123456789")
  (data (i32.const 16) "5012,-874,+122,0,35.5,-.25,+12.,110.7,5.500e+3,-.123e-2,-87e+832,+0.6e-12,T0.3e-1F,-T.T++Tq,1T3.4e4z,34.0e-T^,+,1e,2e+,.,")

  (global $seed (mut i32) (i32.const 0))

  ;; The next of a sequence of numbers of 15 bits.
  (func $random (result i32)
    (global.set $seed
      (i32.add (i32.mul (global.get $seed) (i32.const 1103515245)) (i32.const 12345)))
    (i32.and (i32.shr_u (global.get $seed) (i32.const 16)) (i32.const 0x7fff)))

  ;; CRC-16/ARC, bit by bit.
  (func $crc_byte (param $crc i32) (param $byte i32) (result i32)
    (local $bits i32)
    (local.set $crc (i32.xor (local.get $crc) (local.get $byte)))
    (local.set $bits (i32.const 8))
    (loop $bit
      (local.set $crc
        (i32.xor
          (i32.shr_u (local.get $crc) (i32.const 1))
          (i32.mul (i32.and (local.get $crc) (i32.const 1)) (i32.const 0xa001))))
      (br_if $bit (local.tee $bits (i32.sub (local.get $bits) (i32.const 1)))))
    (local.get $crc))

  (func $crc_bytes (param $crc i32) (param $at i32) (param $len i32) (result i32)
    (local $end i32)
    (local.set $end (i32.add (local.get $at) (local.get $len)))
    (loop $byte
      (local.set $crc (call $crc_byte (local.get $crc) (i32.load8_u (local.get $at))))
      (br_if $byte
        (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (local.get $end))))
    (local.get $crc))

  ;; A new list of 32 nodes, in the order of their places.
  (func $build (result i32)
    (local $place i32) (local $node i32)
    (local.set $node (i32.const 320))
    (loop $next
      (i32.store (local.get $node) (i32.add (local.get $node) (i32.const 8)))
      (i32.store16 offset=4 (local.get $node) (i32.and (call $random) (i32.const 63)))
      (i32.store16 offset=6 (local.get $node) (local.get $place))
      (local.set $node (i32.add (local.get $node) (i32.const 8)))
      (br_if $next
        (i32.lt_u (local.tee $place (i32.add (local.get $place) (i32.const 1))) (i32.const 32))))
    (i32.store (i32.sub (local.get $node) (i32.const 8)) (i32.const 0))
    (i32.const 320))

  (func $reverse (param $list i32) (result i32)
    (local $done i32) (local $next i32)
    (loop $node
      (local.set $next (i32.load (local.get $list)))
      (i32.store (local.get $list) (local.get $done))
      (local.set $done (local.get $list))
      (br_if $node (local.tee $list (local.get $next))))
    (local.get $done))

  ;; Sorts the first `n` nodes of a list by their values: those that are equal stay in their order.
  (func $sort (param $list i32) (param $n i32) (result i32)
    (local $half i32) (local $i i32) (local $other i32) (local $last i32)
    (if (i32.eq (local.get $n) (i32.const 1))
      (then
        (i32.store (local.get $list) (i32.const 0))
        (return (local.get $list))))
    (local.set $half (i32.shr_u (local.get $n) (i32.const 1)))
    (local.set $i (local.get $half))
    (local.set $other (local.get $list))
    (loop $skip
      (local.set $other (i32.load (local.get $other)))
      (br_if $skip (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
    (local.set $list (call $sort (local.get $list) (local.get $half)))
    (local.set $other
      (call $sort (local.get $other) (i32.sub (local.get $n) (local.get $half))))
    (local.set $last (i32.const 288))
    (block $end
      (loop $merge
        (if (i32.eqz (local.get $list))
          (then
            (i32.store (local.get $last) (local.get $other))
            (br $end)))
        (if (i32.eqz (local.get $other))
          (then
            (i32.store (local.get $last) (local.get $list))
            (br $end)))
        (if (i32.le_s (i32.load16_s offset=4 (local.get $list)) (i32.load16_s offset=4 (local.get $other)))
          (then
            (i32.store (local.get $last) (local.get $list))
            (local.set $last (local.get $list))
            (local.set $list (i32.load (local.get $list))))
          (else
            (i32.store (local.get $last) (local.get $other))
            (local.set $last (local.get $other))
            (local.set $other (i32.load (local.get $other)))))
        (br $merge)))
    (i32.load (i32.const 288)))

  ;; Values and places of a list.
  (func $list (param $crc i32) (result i32)
    (local $node i32)
    (local.set $node (call $sort (call $reverse (call $build)) (i32.const 32)))
    (loop $next
      (local.set $crc
        (call $crc_bytes (local.get $crc) (i32.add (local.get $node) (i32.const 4)) (i32.const 4)))
      (br_if $next (local.tee $node (i32.load (local.get $node)))))
    (local.get $crc))

  ;; A product of matrices.
  (func $matrix (param $crc i32) (result i32)
    (local $i i32) (local $j i32) (local $k i32) (local $sum i32)
    (local.set $i (i32.const 576))
    (loop $fill
      (i32.store16 (local.get $i) (i32.sub (call $random) (i32.const 16384)))
      (br_if $fill
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 2))) (i32.const 832))))
    (local.set $i (i32.const 0))
    (loop $row
      (local.set $j (i32.const 0))
      (loop $column
        (local.set $k (i32.const 0))
        (local.set $sum (i32.const 0))
        (loop $product
          (local.set $sum
            (i32.add
              (local.get $sum)
              (i32.mul
                (i32.load16_s offset=576
                  (i32.add (i32.mul (local.get $i) (i32.const 16)) (i32.mul (local.get $k) (i32.const 2))))
                (i32.load16_s offset=704
                  (i32.add (i32.mul (local.get $k) (i32.const 16)) (i32.mul (local.get $j) (i32.const 2)))))))
          (br_if $product
            (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (i32.const 8))))
        (i32.store offset=1088
          (i32.add (i32.mul (local.get $i) (i32.const 32)) (i32.mul (local.get $j) (i32.const 4)))
          (local.get $sum))
        (br_if $column
          (i32.lt_u (local.tee $j (i32.add (local.get $j) (i32.const 1))) (i32.const 8))))
      (br_if $row
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 8))))
    (call $crc_bytes (local.get $crc) (i32.const 1088) (i32.const 256)))

  ;; What a state machine that reads a number does at a character: 0 nothing yet, 1 a sign, 2 digits, 3 a point, 4 an `e`, 5 its sign,
  ;; 6 its digits, 7 no number.
  (func $step (param $state i32) (param $char i32) (result i32)
    (local $digit i32) (local $sign i32)
    (local.set $digit (i32.lt_u (i32.sub (local.get $char) (i32.const 48)) (i32.const 10)))
    (local.set $sign
      (i32.or
        (i32.eq (local.get $char) (i32.const 43))
        (i32.eq (local.get $char) (i32.const 45))))
    (block $wrong
      (block $exponent
        (block $behind_e
          (block $fraction
            (block $number
              (block $signed
                (block $start
                  (br_table $start $signed $number $fraction $behind_e $exponent $exponent $wrong
                    (local.get $state)))
                (if (local.get $sign) (then (return (i32.const 1)))))
              (br_if $number (local.get $digit))
              (if (i32.eq (local.get $char) (i32.const 46)) (then (return (i32.const 3))))
              (br $wrong))
            (if (local.get $digit) (then (return (i32.const 2))))
            (if (i32.eq (local.get $char) (i32.const 46)) (then (return (i32.const 3))))
            (if (i32.eq (local.get $char) (i32.const 101)) (then (return (i32.const 4))))
            (br $wrong))
          (if (local.get $digit) (then (return (i32.const 3))))
          (if (i32.eq (local.get $char) (i32.const 101)) (then (return (i32.const 4))))
          (br $wrong))
        (if (local.get $sign) (then (return (i32.const 5)))))
      (if (local.get $digit) (then (return (i32.const 6)))))
    (i32.const 7))

  ;; How many numbers ended in each state; and some character of the text becomes another.
  (func $states (param $crc i32) (result i32)
    (local $at i32) (local $state i32) (local $char i32)
    (memory.fill (i32.const 256) (i32.const 0) (i32.const 32))
    (local.set $at (i32.const 16))
    (loop $next
      (if (i32.eq (local.tee $char (i32.load8_u (local.get $at))) (i32.const 44))
        (then
          (local.set $state (i32.add (i32.const 256) (i32.shl (local.get $state) (i32.const 2))))
          (i32.store (local.get $state) (i32.add (i32.load (local.get $state)) (i32.const 1)))
          (local.set $state (i32.const 0)))
        (else
          (local.set $state (call $step (local.get $state) (local.get $char)))))
      (br_if $next (i32.load8_u (local.tee $at (i32.add (local.get $at) (i32.const 1))))))
    (local.set $at (i32.add (i32.const 16) (i32.rem_u (call $random) (i32.const 120))))
    (i32.store8 (local.get $at) (i32.add (i32.rem_u (call $random) (i32.const 16)) (i32.const 42)))
    (call $crc_bytes (local.get $crc) (i32.const 256) (i32.const 32)))

  (func $wrong (param $part i32) (param $crc i32) (param $right i32) (result i32)
    (call $report (local.get $part) (local.get $crc))
    (i32.ne (local.get $crc) (local.get $right)))

  (func (export "run") (param $iterations i32) (result i32)
    (local $list i32) (local $matrix i32) (local $states i32)
    (loop $again
      (local.set $list (call $list (local.get $list)))
      (local.set $matrix (call $matrix (local.get $matrix)))
      (local.set $states (call $states (local.get $states)))
      (br_if $again
        (local.tee $iterations (i32.sub (local.get $iterations) (i32.const 1)))))
    (if (call $wrong (i32.const 1) (call $crc_bytes (i32.const 0) (i32.const 0) (i32.const 9)) (i32.const 0xbb3d))
      (then (return (i32.const 1))))
    (if (call $wrong (i32.const 2) (local.get $list) (i32.const 0x48f6))
      (then (return (i32.const 2))))
    (if (call $wrong (i32.const 3) (local.get $matrix) (i32.const 0xbde0))
      (then (return (i32.const 3))))
    (if (call $wrong (i32.const 4) (local.get $states) (i32.const 0xcb94))
      (then (return (i32.const 4))))
    (i32.const 0)))
