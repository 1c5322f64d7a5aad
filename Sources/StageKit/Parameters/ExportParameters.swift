extension Parameters {
    static let export: [Parameter] = []
}
