import LinearAlgebra

/// Item-to-item weights of the linear memorisation beside the towers: row i are the weights that watching course i
/// gives to every course j (B[i, j], zero diagonal).
package enum WideMatrix: Sendable, Equatable {
    case none
    /// C × C.
    case dense(Matrix)
    case sparse(SparseRows)
}

/// Everything the co-watch stage knows at one time, from moments in `[time − history, time)` only.
package struct CoWatchSnapshot: Sendable, Equatable {
    package var time: Int64
    /// C × C similarity: best neighbours per course, columns ascending, diagonal present and 1.
    package var similarity: SparseRows
    package var wide: WideMatrix

    package init(time: Int64, similarity: SparseRows, wide: WideMatrix) {
        (self.time, self.similarity, self.wide) = (time, similarity, wide)
    }
}
