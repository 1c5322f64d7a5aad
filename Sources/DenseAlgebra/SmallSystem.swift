import CKernels

/// Many small symmetric systems, without a LAPACK call's overhead. Row-major; factors use the lower triangle. From
/// order `plainBelow` on LAPACK factors, which blocks.
package enum SmallSystem {
    package static let plainBelow = 64
    package static let plainSolveBelow = 128

    /// A = L·Lᵀ in place; false if A is not positive definite. column: room for n.
    @inline(__always)
    package static func factor(
        _ n: Int, _ a: UnsafeMutablePointer<Double>, column: UnsafeMutablePointer<Double>
    ) -> Bool {
        if n >= plainBelow { return (try? Cholesky.factor(n, a)) != nil }
        return lk_cholesky(n, a, column) != 0
    }

    /// Solves L·Lᵀ·x = b in place.
    @inline(__always)
    package static func solve(_ n: Int, _ factor: UnsafePointer<Double>, _ b: UnsafeMutablePointer<Double>) {
        if n >= plainSolveBelow { return Cholesky.solve(n, factor: factor, b) }
        lk_cholesky_solve(n, factor, b)
    }

    /// Numbers of a factor's lower triangle.
    package static func packedCount(_ n: Int) -> Int { n * (n + 1) / 2 }

    /// Keeps a factor in a quarter of its memory: its lower triangle in 32 bits.
    @inline(__always)
    package static func pack(_ n: Int, _ factor: UnsafePointer<Double>, into packed: UnsafeMutablePointer<Float>) {
        lk_lower_pack(n, factor, packed)
    }

    /// Solves L·Lᵀ·x = b in place from what `pack` kept.
    @inline(__always)
    package static func solvePacked(_ n: Int, _ packed: UnsafePointer<Float>, _ b: UnsafeMutablePointer<Double>) {
        lk_lower_solve(n, packed, b)
    }

    /// k = x·xᵀ (m × m), x: m × width, width a multiple of 8.
    @inline(__always)
    package static func gram(
        _ m: Int, width: Int, _ x: UnsafePointer<Double>, into k: UnsafeMutablePointer<Double>
    ) { lk_gram(m, width, x, k) }

    /// out = a·v, both triangles of `a` given.
    @inline(__always)
    package static func multiply(
        _ n: Int, _ a: UnsafePointer<Double>, _ v: UnsafePointer<Double>, into out: UnsafeMutablePointer<Double>
    ) { lk_symmetric_multiply(n, a, v, out) }
}
