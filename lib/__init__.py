"""Networks, losses, metrics, data and training of the 2D-GAN and GN_CycleGAN reproduction kit."""
