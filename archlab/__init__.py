"""archlab: find the text-to-image UNet that is worth its milliseconds on your device."""

__version__ = "0.1.0"
