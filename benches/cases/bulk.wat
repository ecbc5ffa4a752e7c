;; Copies and fills of a few kilobytes.
(module
  (memory 1)
  (func (export "run") (param $n i32) (result i32)
    (loop $again
      (memory.fill (i32.const 0) (local.get $n) (i32.const 4096))
      (memory.copy (i32.const 8192) (i32.const 1) (i32.const 4096))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.load (i32.const 8192))))
