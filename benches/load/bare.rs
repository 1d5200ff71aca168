//! The limit of the framework: warp, POST, the body read, `success`.

use warp::Filter;

/// Serves on a port of the loopback.
pub fn serve(port: u16) {
    super::block_on(async {
        let route = warp::post().and(warp::body::bytes()).map(|_body| "success");
        warp::serve(route).incoming(listener(port).await).run().await;
    });
}

pub async fn listener(port: u16) -> tokio::net::TcpListener {
    tokio::net::TcpListener::bind(("127.0.0.1", port))
        .await
        .expect("the port is free")
}
