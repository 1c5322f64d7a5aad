import LinearAlgebra
import Synchronization

/// Hands the input to threads. Files that the cache knows go first, each to one thread. Then each thread takes a file
/// of its own while there are any, and helps with one that another thread has begun: inflating takes turns, parsing
/// does not.
final class BlockQueue: Sendable {
    private struct Waiting {
        var cached: [InputFile] = []
        var unopened: [OpenFile] = []
        var open: [OpenFile] = []
    }

    private let waiting: Mutex<Waiting>
    private let cache: ImportCache?
    /// By number of the file.
    private let keys: [Int: String]

    /// - Parameter keys: of the files that may be in the cache.
    init(_ files: [InputFile], cache: ImportCache?, keys: [Int: String]) {
        (self.cache, self.keys) = (cache, keys)
        var waiting = Waiting()
        for file in files.reversed() {
            if let key = keys[file.number], cache?.has(key) ?? false {
                waiting.cached.append(file)
            } else {
                waiting.unopened.append(OpenFile(file, records: keys[file.number] != nil))
            }
        }
        self.waiting = Mutex(waiting)
    }

    /// - Parameter finished: called once for each file behind its last block.
    func forEach(
        _ workers: Workers, _ state: ParsingState, finished: () -> Void,
        _ body: (ParsingThread, RowBlock, InputFile) throws -> Void
    ) throws {
        try workers.forEach(workers.count) { _ in
            let thread = ParsingThread(state)
            while let file = takeCached() {
                if let events = cache!.load(keys[file.number]!) {
                    try thread.replay(events, file)
                    finished()
                } else {
                    // Damaged: it is read from its source after all.
                    waiting.withLock { $0.unopened.append(OpenFile(file, records: true)) }
                }
            }
            while let current = take() {
                while let (block, recording) = try current.next() {
                    thread.recording = recording
                    try body(thread, block, current.file)
                    thread.recording = nil
                    current.finish(recording)
                }
                if let pieces = current.complete() { store(pieces, current.file, state) }
                if close(current) { finished() }
            }
            try thread.finish()
        }
    }

    private func store(_ pieces: [EventRecording], _ file: InputFile, _ state: ParsingState) {
        cache?.store(CachedEvents(pieces, file.table, state), as: keys[file.number]!, of: file.path)
    }

    private func takeCached() -> InputFile? { waiting.withLock { $0.cached.popLast() } }

    private func take() -> OpenFile? {
        waiting.withLock {
            if let file = $0.unopened.popLast() {
                $0.open.append(file)
                return file
            }
            return $0.open.first
        }
    }

    /// - Returns: true for the first thread that finds the file at its end.
    private func close(_ file: OpenFile) -> Bool {
        waiting.withLock {
            guard let at = $0.open.firstIndex(where: { $0 === file }) else { return false }
            $0.open.remove(at: at)
            return true
        }
    }
}

/// A file whose blocks are being handed out.
final class OpenFile: Sendable {
    let file: InputFile
    private let reader = Mutex<RowReader?>(nil)
    private let progress: Mutex<Progress>

    private struct Progress {
        /// nil: nothing is recorded, or no longer.
        var pieces: [EventRecording]?
        var bytes = 0
        var begun = 0
        var ended = false
    }

    /// Above this a file is not cached: a thread would hold too much. About six million rows.
    static let mostRecorded = 1 << 28

    init(_ file: InputFile, records: Bool) {
        self.file = file
        progress = Mutex(Progress(pieces: records ? [] : nil))
    }

    func next() throws -> (RowBlock, EventRecording?)? {
        guard let block = try nextBlock() else { return nil }
        let records = progress.withLock { $0.pieces != nil }
        return (block, records ? EventRecording(firstLine: block.firstLine) : nil)
    }

    private func nextBlock() throws -> RowBlock? {
        try reader.withLock { reader in
            if reader == nil { reader = try RowReader(path: file.path, form: file.form) }
            let block = try reader!.next()
            // Under the reader's lock: once it has ended, every block has begun.
            progress.withLock { if block == nil { $0.ended = true } else { $0.begun += 1 } }
            return block
        }
    }

    /// A block is done.
    func finish(_ recording: EventRecording?) {
        progress.withLock {
            $0.begun -= 1
            guard let recording, $0.pieces != nil else { return }
            $0.pieces!.append(recording)
            $0.bytes += recording.bytes
            if $0.bytes > Self.mostRecorded { $0.pieces = nil }
        }
    }

    /// - Returns: all pieces, in order, once and only when the file has been parsed to its end.
    func complete() -> [EventRecording]? {
        progress.withLock {
            guard $0.ended, $0.begun == 0, let all = $0.pieces else { return nil }
            $0.pieces = nil
            return all.sorted { $0.firstLine < $1.firstLine }
        }
    }
}
