// Proves that `recommend` starts without the libraries whose loading takes longer than a lookup. Expected: the names that
// the dynamic loader's own listing has for them.

import Testing

@Suite struct RecommendTests {
    private func libraries(_ program: String) throws -> String {
        let done = try execute(["ldd", root + "/bin/" + program])
        #expect(done.code == 0, "\(done.errors)")
        return done.output
    }

    @Test func loadsNeitherOpenBLASNorFoundation() throws {
        let (heavy, stage, found) = (
            ["openblas", "lapack", "libFoundation.so", "FoundationICU", "libswiftCore"], try libraries("export-topk"),
            try libraries("recommend")
        )
        for name in heavy {
            #expect(stage.contains(name), "a stage no longer loads \(name): look for another name")
            #expect(!found.contains(name), "recommend loads \(name)")
        }
        #expect(found.contains("libsqlite3"))
    }
}
