extension Parameters {
    static let blend: [Parameter] = []
}
